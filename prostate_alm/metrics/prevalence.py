"""What a locked threshold means per 100 patients at the site's prevalence, not the test set's."""

from dataclasses import dataclass

from prostate_alm.figures import Figure
from prostate_alm.metrics._distributions import CONFIDENCE
from prostate_alm.metrics._rates import Rates, inside, percent
from prostate_alm.metrics.locked import LockedFigures


@dataclass(frozen=True)
class PrevalenceFigures:
    """What a clinician reads at prevalence p.

    Args:
        ppv: p Se / (p Se + (1 - p)(1 - Sp)).
        npv: (1 - p) Sp / ((1 - p) Sp + p (1 - Se)).
        scans_avoided: per 100 patients, 100 (p (1 - Se) + (1 - p) Sp).
        wrongly_avoided: of them wrongly, per 100 patients, 100 p (1 - Se).
    """

    ppv: Figure
    npv: Figure
    scans_avoided: Figure
    wrongly_avoided: Figure

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The four figures in the order of a report."""
        return self.ppv, self.npv, self.scans_avoided, self.wrongly_avoided


def at_prevalence(locked: LockedFigures, prevalence: float) -> PrevalenceFigures:
    """Predictive values and scans avoided that sensitivity and specificity give at a prevalence, by Bayes.

    All are monotone in both. The interval spans the corners of the exact rectangle of the two: coverage at least 95%.
    Wrongly avoided scans depend on sensitivity alone and take its own interval. The prevalence counts as known.

    Args:
        locked: the two-by-two table at a locked threshold.
        prevalence: p, share of positives among the site's patients, in (0, 1).

    Returns:
        Figures of kind locked. Value None if a class is missing that the figure needs, if no case is called positive
        (PPV) or none negative (NPV).

    Raises:
        ValueError: if the prevalence is outside (0, 1).

    Example:
        >>> from prostate_alm.metrics import at_threshold
        >>> table = at_threshold([3.0, 1.0, 2.0, 0.5], [1, 1, 0, 0], threshold=1.5)
        >>> str(at_prevalence(table, 0.2).ppv)
        'PPV at prevalence 20% 0.20 [0.00, 0.98] (locked, n1 = 2, n0 = 2)'

    Reference:
        Altman & Bland 1994, Diagnostic tests 2: predictive values. Interval: Clopper & Pearson 1934.
    """
    p, rates = inside(prevalence, "prevalence"), Rates.of(locked)
    place = f"at prevalence {percent(p)}"

    def ppv(se: float, sp: float) -> float:
        return p * se / (p * se + (1 - p) * (1 - sp))

    def npv(se: float, sp: float) -> float:
        return (1 - p) * sp / ((1 - p) * sp + p * (1 - se))

    def avoided(se: float, sp: float) -> float:
        return 100 * (p * (1 - se) + (1 - p) * sp)

    none_positive = "no case is called positive" if locked.tp + locked.fp == 0 else None
    none_negative = "no case is called negative" if locked.tn + locked.fn == 0 else None
    return PrevalenceFigures(
        ppv=rates.figure(f"PPV {place}", ppv, "Bayes", none_positive),
        npv=rates.figure(f"NPV {place}", npv, "Bayes", none_negative),
        scans_avoided=rates.figure(f"scans avoided per 100 {place}", avoided, "mean over patients"),
        wrongly_avoided=_wrongly_avoided(locked.sensitivity, p, f"scans wrongly avoided per 100 {place}"),
    )


def _wrongly_avoided(sensitivity: Figure, p: float, name: str) -> Figure:
    cases = (CONFIDENCE, sensitivity.n1, sensitivity.n0, "locked")
    if sensitivity.value is None or sensitivity.interval is None:
        return Figure(name, None, None, *cases, sensitivity.method)
    low, high = sensitivity.interval
    interval = (100 * p * (1 - high), 100 * p * (1 - low))
    return Figure(name, 100 * p * (1 - sensitivity.value), interval, *cases, "Clopper-Pearson of the sensitivity")
