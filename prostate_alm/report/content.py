"""What a report says, apart from how it looks: the page, the PDF and metrics.json are all made from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prostate_alm.metrics import Calibration, NetBenefit, PairedTest, Subgroup
from prostate_alm.operating_point import Threshold
from prostate_alm.render.pictures import KeyPicture
from prostate_alm.report.operating import OperatingPoint
from prostate_alm.report.predictions import Rows
from prostate_alm.report.summary import ArmSummary

if TYPE_CHECKING:
    from prostate_alm.report.flow import Flow


@dataclass(frozen=True)
class CaseFacts:
    """What is known of a case beside its scores.

    Args:
        groups: name of a grouping -> the case's value, such as `{"Vendor": "Siemens", "Field strength": "3 T"}`;
            None where it is unknown.
        images: sequence (`t2w`, `dwi_b1000`, ...) -> its volume's file, for pictures.
    """

    groups: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    images: Mapping[str, Path] = field(default_factory=dict[str, Path])


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation hands over to be reported.

    Args:
        predictions: rows (case_id, label, arm, logit[, members]); the arms hold the same cases.
        main_arm: the arm that the report answers for.
        threshold: locked threshold of the main arm's model; None reports oracle figures alone.
        notice: a warning that every file repeats, or empty.
        provenance: model name, version, hashes, cohort; nested mappings are fine.
        cases: case_id -> facts; a case may be absent.
        training_prevalence: share of positives that the main arm was trained at, in (0, 1); None if it is unknown.
        training: what the model says of its training: loss, members, hyper-parameters; empty if nothing.
        flow: what became of the studies that were read; None if that is unknown.
        pictured: False leaves pictures and PDF out, for an evaluation of many models.
    """

    predictions: Rows
    main_arm: str = "alm"
    threshold: Threshold | None = None
    notice: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])
    cases: Mapping[str, CaseFacts] = field(default_factory=dict[str, CaseFacts])
    training_prevalence: float | None = None
    training: Mapping[str, Any] = field(default_factory=dict[str, Any])
    flow: "Flow | None" = None
    pictured: bool = True


@dataclass(frozen=True)
class ArmPair:
    """Two arms on the same cases, paired; p-values adjusted by Holm over all pairs of the report, per figure.

    Args:
        arm: the first arm; a difference is its figure minus the other's.
        against: the other arm.
        auc: by DeLong.
        fpr_at_0fn: by permutation of ranks.
    """

    arm: str
    against: str
    auc: PairedTest
    fpr_at_0fn: PairedTest


@dataclass(frozen=True)
class DecisionPoint:
    """One threshold probability of the decision curve.

    Args:
        threshold_probability: at which a scan is just worth it, in (0, 1).
        benefit: of the operating point, whose threshold stays the same, and of contrast for all.
        anew: of a cut-off chosen anew for this weight, by recalibrated probabilities; None if the training's
            prevalence is unknown.
        listed: whether tables show it; plots show all.
    """

    threshold_probability: float
    benefit: NetBenefit
    anew: NetBenefit | None
    listed: bool


@dataclass(frozen=True)
class Grouping:
    """The main arm at the operating threshold in every value of a grouping, such as each vendor."""

    name: str
    groups: tuple[Subgroup, ...]

    @property
    def varied(self) -> bool:
        """Whether the cases differ in it at all."""
        return len(self.groups) > 1


@dataclass(frozen=True)
class ShownCase:
    """A case worth looking at.

    Args:
        case_id: of the case.
        label: 1 = critical class.
        logit: of the main arm.
        role: why it is shown: `missed`, `needless` (a false positive near the threshold) or `lowest positive`.
        pictures: of T2 and DWI at one place.
        lacking: why it has none: `not asked`, `not given` or `unreadable`; empty if it has.
    """

    case_id: str
    label: int
    logit: float
    role: str
    pictures: tuple[KeyPicture, ...] = ()
    lacking: str = "not given"


@dataclass(frozen=True)
class Report:
    """Everything that is printed, computed once.

    Args:
        evaluated: what was handed over.
        summaries: one per arm, in the order base, continued, alm.
        main: the arm that the report answers for; one of the summaries.
        operating: the locked threshold if there is one, else the oracle's; None if there is neither.
        oracle: the main arm where it misses nobody; None if there is no positive.
        pairs: every arm against those before it.
        raw_calibration: of the main arm's logits as they are.
        calibration: of the logits recalibrated from the training's prevalence to the test cases'; None if the
            training's is unknown or a class is missing.
        decision_curve: at the test cases' prevalence; empty if a class is missing.
        groupings: by vendor, field strength and so on.
        shown: the false negatives and the nearest false positives.
    """

    evaluated: Evaluated
    summaries: tuple[ArmSummary, ...]
    main: ArmSummary
    operating: OperatingPoint | None
    oracle: OperatingPoint | None
    pairs: tuple[ArmPair, ...]
    raw_calibration: Calibration
    calibration: Calibration | None
    decision_curve: tuple[DecisionPoint, ...]
    groupings: tuple[Grouping, ...]
    shown: tuple[ShownCase, ...]

    @property
    def n1(self) -> int:
        """Positive test cases."""
        return self.main.auc.n1

    @property
    def n0(self) -> int:
        """Negative test cases."""
        return self.main.auc.n0

    @property
    def prevalence(self) -> float | None:
        """Share of positives among the test cases; None if a class is missing."""
        return self.n1 / (self.n1 + self.n0) if self.n1 and self.n0 else None
