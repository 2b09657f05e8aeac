"""What became of the studies: read, excluded and why, thinned, analysed, as STARD's flow of participants has it."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from prostate_alm.cohort import Cohort
from prostate_alm.prepare import QC_TABLE

_REASONS: tuple[tuple[str, str], ...] = (
    ("no label was given", r"^no label$"),
    ("files of more than one patient, or of another body part", r"more than one Patient|PatientSex|BodyPartExamined"),
    (
        "files missing, damaged or unreadable",
        r"damaged|unreadable|cannot be (read|decoded|stored)|process that read it died|frames instead of"
        r"|in colour|has the shape|has the RescaleSlope|InstanceNumber .* missing|has no image",
    ),
    ("no usable axial T2", r"no usable axial T2|several axial T2"),
    ("no usable acquired diffusion (DWI)", r"no usable acquired diffusion"),
    ("b-values other than those needed", r"b [\d, ]+ are needed|harmonisation"),
    (
        "series not told apart with certainty",
        r"none is taken|stands in|several sets|several series|more than once|mixed|a rule of the site|may be its b 0"
        r"|not used as|different (grids|numbers)|images of several types",
    ),
    (
        "geometry or coverage",
        r"a gap|uneven spacing|tilted|one position|beside each other|slices lie|same region|along the slices"
        r"|usable (Image|Pixel)|frames? of reference|FrameOfReference|only \d+ ",
    ),
    (
        "image quality",
        r"not finite|constant|blank|inverted|largest value|noise|signal|foreground",
    ),
)
_OTHER = "another reason"


@dataclass(frozen=True)
class Flow:
    """How many studies there were at every step.

    Args:
        read: found by `prepare`; None if that is unknown.
        excluded: reason and count, each study under the first reason that applies; the order is that of the reasons.
        prepared: in the cohort.
        unlabelled: of them without a label.
        thinned: left out so that a class ratio holds.
        positives: analysed, DCE needed.
        negatives: analysed, DCE not needed.
        patients: among the analysed studies.
        harmonised: of the analysed, with b-values computed by the mono-exponential fit.
        notes: what is unknown or does not add up.
    """

    read: int | None
    excluded: tuple[tuple[str, int], ...]
    prepared: int
    unlabelled: int
    thinned: int
    positives: int
    negatives: int
    patients: int
    harmonised: int
    notes: tuple[str, ...] = ()

    @property
    def analysed(self) -> int:
        """Studies that the figures rest on."""
        return self.positives + self.negatives

    @property
    def steps(self) -> tuple[tuple[str, str, int], ...]:
        """What a table shows: (what, how many, level); level 1 is part of the step before.

        Example:
            >>> Flow(9, (("no usable axial T2", 2),), 7, 0, 0, 3, 4, 7, 0).steps[1]
            ('excluded: no usable axial T2', '2', 1)
        """
        unknown = "unknown"
        left = [("without a label", self.unlabelled), ("left out, so that the class ratio holds", self.thinned)]
        return (
            ("Studies read", unknown if self.read is None else str(self.read), 0),
            *((f"excluded: {reason}", str(count), 1) for reason, count in self.excluded),
            *(() if self.excluded else (("excluded", unknown if self.read is None else "0", 1),)),
            ("Ready for the model", str(self.prepared), 0),
            *((what, str(count), 1) for what, count in left if count),
            (f"Analysed, of {self.patients} patients", str(self.analysed), 0),
            ("DCE needed (positive)", str(self.positives), 1),
            ("DCE not needed (negative)", str(self.negatives), 1),
            *((("with harmonised b-values", str(self.harmonised), 1),) if self.harmonised else ()),
        )


def read_flow(whole: Cohort, analysed: Cohort) -> Flow:
    """Follow the studies from `qc.csv` through the manifest to the analysed cases.

    Args:
        whole: the cohort as `prepare` wrote it; its folder may hold `qc.csv`.
        analysed: the cases that the figures rest on.

    Returns:
        Counts alone: the words of a reason never leave `qc.csv`.
    """
    reasons, notes = _reasons(whole)
    labels = [case.label for case in analysed.cases]
    unlabelled = sum(case.label is None for case in whole.cases)
    counts = Counter(map(grouped, reasons or ()))
    read = None if reasons is None else len(reasons) + len(whole.cases)
    return Flow(
        read=read,
        excluded=tuple((reason, counts[reason]) for reason in (*dict(_REASONS), _OTHER) if counts[reason]),
        prepared=len(whole.cases),
        unlabelled=unlabelled,
        thinned=len(whole.cases) - unlabelled - len(labels),
        positives=labels.count(1),
        negatives=labels.count(0),
        patients=len(analysed.patients),
        harmonised=sum(case.harmonised for case in analysed.cases),
        notes=notes,
    )


def grouped(reasons: str) -> str:
    """The first group that a study's reasons fall into; nothing of their words, which may hold a series' description.

    Args:
        reasons: as in `qc.csv`, separated by `; `.

    Example:
        >>> grouped("no usable axial T2; series 3: a gap (missing slice) between ...")
        'no usable axial T2'
        >>> grouped("a reason that nobody has thought of")
        'another reason'
    """
    return next((name for name, pattern in _REASONS if re.search(pattern, reasons)), _OTHER)


def _reasons(cohort: Cohort) -> tuple[Sequence[str] | None, tuple[str, ...]]:
    """The reasons of each study that is not ready, or None if they are unknown, and what does not add up."""
    path = cohort.folder / QC_TABLE
    if not path.is_file():
        return None, (f"The cohort folder has no {QC_TABLE}: how many studies were read and excluded is unknown.",)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [(row["study_key"], row["ready"], row["reasons"]) for row in csv.DictReader(file)]
        if any(ready not in ("0", "1") for _, ready, _ in rows):
            raise ValueError("ready is neither 0 nor 1")
    except (OSError, ValueError, KeyError, csv.Error):
        return None, (f"{QC_TABLE} cannot be read: how many studies were read and excluded is unknown.",)
    ready = {key for key, yes, _ in rows if yes == "1"}
    if ready != {case.case_id for case in cohort.cases}:
        return None, (f"{QC_TABLE} belongs to other studies than the manifest: what was excluded is unknown.",)
    return [reasons for _, yes, reasons in rows if yes == "0"], ()
