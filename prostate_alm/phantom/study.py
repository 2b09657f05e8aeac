"""One synthetic study: drawn, scanned and written whole."""

import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from prostate_alm.errors import OutputError
from prostate_alm.phantom.anatomy import Anatomy, draw_anatomy
from prostate_alm.phantom.dialects import choose_dialect
from prostate_alm.phantom.findings import draw_finding
from prostate_alm.phantom.identity import Identity
from prostate_alm.phantom.protocol import acquire
from prostate_alm.phantom.scan import Scan
from prostate_alm.phantom.writing import write_series

CONSPICUITY = 1.0


@dataclass(frozen=True)
class StudyPlan:
    """All that decides the bytes of one study.

    Args:
        index: its place in the cohort, from 1; with the seed it decides the anatomy, the placement and the noise.
        label: 1 (carries a lesion) or 0.
        dialect: a name in `DIALECTS`.
        seed: the cohort's seed.
        b_values: acquired b-values in s/mm2, rising.
        conspicuity: factor on the conspicuity of every finding; 0 hides them all.
    """

    index: int
    label: int
    dialect: str
    seed: int
    b_values: tuple[int, ...] = (100, 600, 1000)
    conspicuity: float = CONSPICUITY

    @property
    def name(self) -> str:
        """The study's folder name."""
        return f"study-{self.index:04d}"

    def generator(self, purpose: int) -> np.random.Generator:
        """A source of chance of its own for each purpose, so that none disturbs another."""
        return np.random.default_rng([self.seed, self.index, purpose])

    def anatomy(self) -> Anatomy:
        """The anatomy, with the finding that the label asks for."""
        anatomy = draw_anatomy(self.generator(0))
        finding = draw_finding(
            self.generator(1),
            positive=self.label == 1,
            conspicuity=self.conspicuity,
            prostate=anatomy.prostate,
        )
        return replace(anatomy, finding=finding)

    def identity(self) -> Identity:
        """Invented names and the root of all UIDs."""
        key = "/".join(f"{name}={value}" for name, value in sorted(asdict(self).items()))
        return Identity(
            key=f"prostate_alm phantom/{key}",
            patient_name=f"PHANTOM^{self.index:04d}",
            patient_id=f"PHANTOM-{self.seed}-{self.index:04d}",
            accession=f"PH{self.seed % 10**9}-{self.index:04d}",
            b_values=self.b_values,
        )


def ground_truth(plan: StudyPlan) -> dict[str, Any]:
    """What is really there: label, finding and landmarks in patient space (LPS, mm)."""
    anatomy = plan.anatomy()
    finding = anatomy.finding
    return {
        "study": plan.name,
        "label": plan.label,
        "seed": plan.seed,
        "b_values": list(plan.b_values),
        "finding": None
        if finding is None
        else {
            "kind": finding.kind,
            "centre_lps_mm": [round(float(value), 3) for value in finding.centre_mm],
            "radius_mm": round(finding.radius_mm, 3),
            "conspicuity": round(finding.conspicuity, 4),
        },
        "landmarks_lps_mm": anatomy.landmarks(),
    }


def write_study(folder: Path, plan: StudyPlan, *, scratch: Path) -> None:
    """Write one study as a folder of series folders; it appears only when it is complete.

    Args:
        folder: the study's folder; nothing is done if it is there.
        plan: what to write.
        scratch: a folder on the same file system for unfinished work.

    Raises:
        UsageError: if the dialect is unknown.
        OutputError: if the file system refuses.
    """
    if folder.exists():
        return
    dialect = choose_dialect(plan.dialect, plan.index)
    identity = plan.identity()
    series = acquire(plan.anatomy(), plan.b_values, plan.generator(2))
    numbering = plan.generator(3)
    part = scratch / plan.name
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for number, one in enumerate(series, start=1):
            scan = Scan(one, number, identity, dialect, numbering)
            write_series(part / identity.file_name("folder", number), scan)
        folder.parent.mkdir(parents=True, exist_ok=True)
        part.rename(folder)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}; is there space left?") from error
