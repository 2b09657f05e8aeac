"""Studies on disk that are one small JSON file each, a reader for them, and a model whose logit stands in the study."""

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from prostate_alm.errors import NoInputError
from prostate_alm.operating_point import Threshold
from prostate_alm.studies import ACQUIRED, Keys
from prostate_alm.studies.archives import opened
from prostate_alm.triage import deliveries, inputs, judge, privacy

MODEL = "a" * 64
ACQUISITION = dict.fromkeys(ACQUIRED, 3.0)
RANGES = {
    "vendors": ["SIEMENS"],
    "models": ["Skyra"],
    "field_strengths_t": [3.0],
    "features": {"t2w_p50": [0.0, 1.0]},
    "acquisition": {name: [value, value] for name, value in ACQUISITION.items()},
    "protocols": ["b 100, 600, 1000 as acquired", "b 50, 400, 800 harmonised"],
}
PLANTED = {
    "patient_name": "Planted^Surname",
    "patient_id": "PID-77123",
    "accession": "ACC-99817",
    "birth_date": "19410307",
}


@dataclass
class FakePredictor:
    name: str = "fake"
    version: str = "1"
    sha256: str = MODEL
    notice: str = ""
    required_images: tuple = ("t2w", "dwi_b100", "dwi_b600", "dwi_b1000")
    training_ranges: dict | None = field(default_factory=lambda: RANGES)
    trained_patients: frozenset = frozenset()
    threshold_file: Path = Path("absent.json")
    calls: int = 0
    folders: list = field(default_factory=list)

    def image(self, images):
        assert set(images) == set(self.required_images)
        self.folders.append(images["t2w"].parent)
        return json.loads(images["t2w"].read_text())

    def logit(self, image):
        self.calls += 1
        if "predictor_raises" in image:
            raise RuntimeError(image["predictor_raises"])
        return float(image["logit"])


class FakeVolume:
    def __init__(self, content):
        self.content = content

    def save(self, path):
        path.write_text(json.dumps(self.content))


def fake_find(root, rules=None, origin=None):
    studies = []
    for path in [root] if root.suffix == ".dcm" else sorted(root.rglob("*.dcm")):
        content = json.loads(path.read_text())
        description = f"t2_tse_tra {content['patient_name']} {content['birth_date']}"
        known = {name: content[name] for name in ("patient_id", "accession", "patient_name", "birth_date")}
        header = SimpleNamespace(path=path, raw_description=description, **known)
        studies.append(
            SimpleNamespace(
                uid=content["uid"],
                patient_id=content["patient_id"],
                accession=content["accession"],
                folder=(origin or root) / path.parent.relative_to(root if root.is_dir() else root.parent),
                files=[header],
                skipped=(),
                unreadable=[],
                content=content,
            )
        )
    if not studies:
        raise NoInputError(f"{root} holds no readable DICOM file")
    return studies


@contextmanager
def fake_open(path, rules):
    with opened(path) as place:
        yield fake_find(place, origin=path if place != path else path if path.is_dir() else path.parent)


def fake_read(study, *, keys, harmonise=False, rules=None):
    content = study.content
    if "raises" in content:
        raise OSError(content["raises"])
    b_values = content["b_values"]
    harmonised = harmonise and b_values != [100, 600, 1000]
    found = {f"dwi_b{b}" for b in ([100, 600, 1000] if harmonised else b_values)} | set(content.get("others", ["t2w"]))
    description = f"t2_tse_tra {content['patient_name']} {content['birth_date']}"
    problems = tuple(content.get("problems", ()))
    return SimpleNamespace(
        study_key=keys.study(study.uid),
        volumes={name: FakeVolume(content) for name in found},
        sources={name: {"description": description, "b": 0, "source_tag": "(0018,9087)"} for name in found},
        problems=problems,
        ready={"t2w", "dwi_b100", "dwi_b600", "dwi_b1000"} <= found and not problems,
        b_values_found=tuple(b_values),
        notes=(),
        acquisition=ACQUISITION | {"b_values": b_values} | content.get("acquisition", {}),
        harmonised=harmonised,
        harmonisation={"fit": "mono-exponential", "acquired": b_values} if harmonised else None,
        scanner={"vendor": "SIEMENS", "model": "Skyra", "field_strength_t": 3.0} | content.get("scanner", {}),
    )


STATED = ("patient_name", "birth_date")
KEYS = Keys(b"a salt for tests only")


def replaced():
    """The rooms below, replaced: owner, name, what takes its place."""
    return [
        (inputs, "open_studies", fake_open),
        (deliveries, "open_studies", fake_open),
        (deliveries, "find_studies", fake_find),
        (judge, "read_isolated", fake_read),
        (judge, "image_features", lambda image: {"t2w_p50": image.get("feature", 0.5)}),
        (privacy, "_stated", lambda path: [json.loads(path.read_text())[name] for name in STATED]),
    ]


def fake_threshold():
    return Threshold(0.0, "certified", 0.1, 0.1, 22, 1, model_sha256=MODEL, patients=("p",))


def write_study(folder, name, **content):
    """A study that is one file; gives its folder."""
    folder = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    usual = {"uid": f"1.2.3.4.5.{len(name)}.{name}", "logit": -1.0, "b_values": [100, 600, 1000]}
    (folder / "1.dcm").write_text(json.dumps(usual | PLANTED | content))
    return folder
