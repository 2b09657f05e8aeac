"""Ensembles whose figures can be derived by hand."""

from collections.abc import Sequence

import numpy as np

from prostate_alm.cifar10.gains import Gain, gains_of
from prostate_alm.cifar10.measures import Arm, Measured, measured
from prostate_alm.cifar10.results import ArmResult
from prostate_alm.cifar10.tables import Entry, rows_of


def ensemble(
    arm: str,
    positives: Sequence[float],
    negatives: Sequence[float],
    *,
    loss: str = "BCE",
    ratio: str = "1:2",
    **changes: object,
) -> ArmResult:
    """An ensemble with these logits; the positives come first."""
    logits = np.array([*positives, *negatives], np.float32)
    labels = np.repeat(np.array([1, 0], np.int64), [len(positives), len(negatives)])
    return ArmResult(ratio, loss, arm, logits, labels, np.arange(50_000, 50_000 + len(logits)), **changes)  # type: ignore[arg-type]


def drawn(arm: str, loss: str = "BCE", ratio: str = "1:2", shift: float = 1.5, **changes: object) -> ArmResult:
    """A random ensemble on 40 positives and 40 negatives; all arms of a row share their noise, as real ones do."""
    noise = np.random.default_rng(sum(map(ord, loss + ratio))).normal(size=80)
    own = np.random.default_rng(sum(map(ord, loss + ratio + arm))).normal(scale=0.3, size=80)
    labels = np.repeat([1, 0], 40)
    better = {"base": 0.0, "continued": 0.1, "alm": 0.4, "aucm": -0.2}[arm]
    logits = noise + own + (shift + better) * labels
    told = {"member_aucs": (0.8, 0.9)} | changes
    return ensemble(arm, logits[:40].tolist(), logits[40:].tolist(), loss=loss, ratio=ratio, **told)


def arm_of(name: tuple[str, str, str], **figures: Measured) -> Arm:
    """Figures as if measured, of an ensemble that does not matter."""
    ratio, loss, arm = name
    return Arm(ensemble(arm, [1.0, 2.0], [0.0, 1.5, 0.5, 0.2], loss=loss, ratio=ratio), figures)


def table_rows(results: Sequence[ArmResult], table: int = 2) -> list[Entry]:
    """The rows of a table as the page has them."""
    return rows_of(measured(results, table), table)


def table_gains(results: Sequence[ArmResult], table: int = 2) -> list[Gain]:
    """The gains of a table as the page has them."""
    return gains_of(measured(results, table), table)
