"""Reading hospital studies, against the least that reading can cost."""

import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK
from bench_rows import Row, at_least, at_most, in_turn
from monai.bundle import ConfigParser

from prostate_alm.bundle import find_bundle
from prostate_alm.phantom import write_cohort
from prostate_alm.studies import REQUIRED, Keys, find_studies, read_study
from prostate_alm.studies.rules import default_rules
from prostate_alm.studies.selection.kinds import Role, split_parts

FILES, REPEATS = 2000, 7
SPACING_MM, SHAPE = (0.5, 0.5, 3.0), (256, 256, 20)
"""The grid of the design: 128 mm in plane."""
KEYS = Keys(b"only for the benchmark")


def rows() -> list[Row]:
    """Index and study to tensor."""
    with tempfile.TemporaryDirectory() as folder:
        studies = -(-FILES // 140)  # files of a phantom study
        write_cohort(Path(folder), studies=studies, class_ratio="1:2", dialect="siemens", seed=1)
        root = Path(folder, "studies")
        return [_index(root), _tensor(root / "study-0001")]


def _index(root: Path) -> Row:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    for path in files[FILES:]:
        path.unlink()
    ours, bare = in_turn(
        lambda: find_studies(root),
        lambda: [pydicom.dcmread(path, stop_before_pixels=True) for path in files[:FILES]],
        REPEATS,
    )
    return at_least(2.0, f"index of {FILES} files vs pydicom.dcmread(stop_before_pixels=True)", ours, bare, "s")


def _tensor(folder: Path) -> Row:
    ours, floor = in_turn(_ours(folder), decoded_and_resampled(folder), REPEATS)
    name = "one study DICOM -> tensor vs decoding and one SimpleITK resample per volume"
    return at_most(1.3, name, ours, floor, "s")


def _ours(folder: Path) -> Callable[[], object]:
    """Index, selection, volumes, every check, and the bundle's own preprocessing, as triage runs them."""
    parser = ConfigParser()
    parser.read_config(find_bundle("prostate_dce_classification") / "configs" / "inference.json")
    parser["spacing_mm"], parser["spatial_shape"] = list(SPACING_MM), list(SHAPE)
    preprocessing = parser.get_parsed_content("preprocessing")

    def run() -> object:
        (study,) = find_studies(folder)
        reading = read_study(study, keys=KEYS)
        with tempfile.TemporaryDirectory() as place:
            images = {name: str(reading.volumes[name].save(Path(place) / f"{name}.nii")) for name in REQUIRED}
            image = preprocessing(images)["image"]
        assert tuple(image.shape) == (len(REQUIRED), *SHAPE)
        return image

    return run


def decoded_and_resampled(folder: Path) -> Callable[[], object]:
    """Decode the files that are used, already known and sorted, and resample each volume once; nothing is checked."""
    (study,) = find_studies(folder)
    volumes: dict[object, list[Path]] = defaultdict(list)
    for part in split_parts(study.files, default_rules()):
        for image in part.images:
            used = part.kind.role is Role.DWI or (part.kind.role is Role.T2 and "t2_tse_tra" in image.raw_description)
            if used:
                volumes[image.b_value].append(image.path)
    assert [len(paths) for paths in volumes.values()] == [len(next(iter(volumes.values())))] * len(REQUIRED)
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)

    def run() -> object:
        return [_resampled(paths) for paths in volumes.values()]

    return run


def _resampled(paths: list[Path]) -> SimpleITK.Image:
    stored = np.stack([pydicom.dcmread(path).pixel_array for path in paths]).astype(np.float32)
    image = SimpleITK.GetImageFromArray(stored)
    identity = np.eye(3).ravel().tolist()
    return SimpleITK.Resample(
        image, SHAPE, SimpleITK.Transform(), SimpleITK.sitkLinear, (0.0, 0.0, 0.0), SPACING_MM, identity
    )
