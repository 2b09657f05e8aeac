"""Net benefit of a model against DCE for all, at a threshold probability and a prevalence."""

from dataclasses import dataclass

from prostate_alm.figures import Figure
from prostate_alm.metrics._distributions import CONFIDENCE, log_odds
from prostate_alm.metrics._rates import Rates, inside, percent
from prostate_alm.metrics.calibration import recalibrated
from prostate_alm.metrics.inputs import Scores
from prostate_alm.metrics.locked import LockedFigures, at_threshold

TIE = 1e-12  # logits; a case at the threshold probability stays positive when the shift rounds


@dataclass(frozen=True)
class NetBenefit:
    """One threshold probability of a decision curve.

    Args:
        model: net benefit per patient of scanning whom the model calls positive, in true positives.
        dce_for_all: net benefit per patient of scanning everybody.
        net_scans_avoided: per 100 patients, after paying for the scans wrongly avoided.
    """

    model: Figure
    dce_for_all: Figure
    net_scans_avoided: Figure

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The three figures in the order of a report."""
        return self.model, self.dce_for_all, self.net_scans_avoided


def net_benefit(
    logits: Scores,
    labels: Scores,
    *,
    threshold_probability: float,
    prevalence: float,
    calibrated_prevalence: float,
) -> NetBenefit:
    """Net benefit of calling positive whose probability, recalibrated to the prevalence, reaches pt.

    Each pt has a cut-off, and so Se and Sp, of its own: the net benefit of one threshold is `net_benefit_at`, which has
    the formulas. The probabilities change by the prevalence alone (`recalibrated`).

    Args:
        logits: raw outputs, numpy or torch, calibrated at `calibrated_prevalence`.
        labels: 1 = critical class.
        threshold_probability: pt, at which a scan is just worth it, in (0, 1); a tie counts as positive.
        prevalence: p, share of positives among the site's patients, in (0, 1).
        calibrated_prevalence: prevalence at which the logits are calibrated, usually the training set's, in (0, 1).

    Shapes: (B,) or (B, 1) each.

    Returns:
        Figures of kind locked. Those of the model have the value None if a class is missing; DCE for all has no
        sampling error and no interval.

    Raises:
        ValueError: if a probability is outside (0, 1), or shapes, labels or logits are not as said.

    Example:
        >>> rates = {"threshold_probability": 0.5, "prevalence": 0.5, "calibrated_prevalence": 0.5}
        >>> net_benefit([3.0, -1.0, 2.0, -0.5], [1, 1, 0, 0], **rates).model.value
        0.0

    Reference:
        Vickers & Elkin 2006, Decision curve analysis; Vickers, van Calster & Steyerberg 2019 (prevalence p).
    """
    pt, p = inside(threshold_probability, "threshold probability"), inside(prevalence, "prevalence")
    shifted = recalibrated(logits, calibrated_prevalence=calibrated_prevalence, prevalence=p)
    locked = at_threshold(shifted, labels, log_odds(pt) - TIE)
    return net_benefit_at(locked, threshold_probability=pt, prevalence=p)


def net_benefit_at(locked: LockedFigures, *, threshold_probability: float, prevalence: float) -> NetBenefit:
    """Net benefit of one threshold, whatever a scan is worth: its sensitivity and specificity stay as they are.

    w = pt/(1 - pt); model p Se - (1 - p)(1 - Sp) w; DCE for all p - (1 - p) w; net scans avoided
    100 ((1 - p) Sp - p (1 - Se)/w). The interval spans the corners of the exact rectangle of Se and Sp: coverage at
    least 95%. The prevalence counts as known. It needs no probabilities.

    Args:
        locked: the two-by-two table at the threshold.
        threshold_probability: pt, at which a scan is just worth it, in (0, 1).
        prevalence: p, share of positives among the site's patients, in (0, 1).

    Returns:
        Figures of kind locked. Those of the model have the value None if a class is missing; DCE for all has no
        sampling error and no interval.

    Raises:
        ValueError: if a probability is outside (0, 1).

    Example:
        >>> from prostate_alm.metrics import at_threshold
        >>> table = at_threshold([3.0, 1.0, 2.0, 0.5], [1, 1, 0, 0], threshold=1.5)
        >>> net_benefit_at(table, threshold_probability=0.5, prevalence=0.25).net_scans_avoided.value
        25.0

    Reference:
        Vickers & Elkin 2006, Decision curve analysis; Vickers, van Calster & Steyerberg 2019 (prevalence p).
    """
    pt, p = inside(threshold_probability, "threshold probability"), inside(prevalence, "prevalence")
    rates, w = Rates.of(locked), pt / (1 - pt)
    place = f"at threshold probability {percent(pt)}, prevalence {percent(p)}"
    cases = (CONFIDENCE, locked.tp + locked.fn, locked.tn + locked.fp, "locked")

    def model(se: float, sp: float) -> float:
        return p * se - (1 - p) * (1 - sp) * w

    def avoided(se: float, sp: float) -> float:
        return 100 * ((1 - p) * sp - p * (1 - se) / w)

    exact = "p - (1 - p) w; exact at the given prevalence, no sampling error"
    return NetBenefit(
        model=rates.figure(f"net benefit {place}", model, "decision curve"),
        dce_for_all=Figure(f"net benefit of DCE for all {place}", p - (1 - p) * w, None, *cases, exact),
        net_scans_avoided=rates.figure(f"net scans avoided per 100 {place}", avoided, "decision curve"),
    )
