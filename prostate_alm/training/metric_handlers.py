"""False-positive rates as MONAI handlers, so that a bundle can select its checkpoints on them."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from monai.handlers import IgniteMetricHandler

from prostate_alm.metrics import FPRAtFNMetric, FPRAtTPRMetric
from prostate_alm.metrics.cumulative import as_column


def _as_it_is(output: Any) -> Any:
    return output


def _joined(output_transform: Callable[..., Any]) -> Callable[..., Any]:
    """The transform with decollated cases joined again: ignite would make float32 of those that are plain numbers."""

    def transform(output: Any) -> Any:
        logits, labels = output_transform(output)
        return as_column(logits), as_column(labels)

    return transform


class FPRAtFN(IgniteMetricHandler):
    """FPR@kFN of an evaluator's cases, over all batches of its epoch, as a key metric. Lower is better.

    MONAI takes the highest value for the best unless told otherwise: give `CheckpointSaver` the argument
    `key_metric_negative_sign=True`, so that it keeps the epoch of the lowest rate, and `SupervisedEvaluator` the
    argument `metric_cmp_fn="$lambda current, best: current < best"`, so that `state.best_metric` is the lowest.
    Where the figure is undefined the value is NaN, and MONAI keeps a first epoch of NaN for ever: select on it only
    if the validation cases hold negatives and more than `misses` positives.

    Args:
        misses: k, positives that may lie below the threshold.
        output_transform: makes (logits, labels) of the evaluator's output, for example
            `monai.handlers.from_engine(["pred", "label"])`.

    Raises:
        TypeError: if `misses` is no whole number.

    Example:
        >>> from monai.handlers import from_engine
        >>> handler = FPRAtFN(misses=1, output_transform=from_engine(["pred", "label"]))
        >>> handler.metric_fn.misses
        1
    """

    def __init__(self, misses: int = 0, output_transform: Callable[..., Any] = _as_it_is) -> None:
        super().__init__(
            metric_fn=FPRAtFNMetric(misses), output_transform=_joined(output_transform), save_details=False
        )


class FPRAtTPR(IgniteMetricHandler):
    """FPR at sensitivity `tpr` at least, over all batches of an evaluator's epoch, as a key metric. Lower is better.

    MONAI selects on it as on `FPRAtFN`: with `key_metric_negative_sign=True` and a `metric_cmp_fn` that prefers the
    lower value. The value is NaN if a class is missing.

    Args:
        tpr: sensitivity to reach, in (0, 1].
        output_transform: makes (logits, labels) of the evaluator's output.

    Raises:
        ValueError: if `tpr` is outside (0, 1].

    Example:
        >>> FPRAtTPR(tpr=0.9).metric_fn.tpr
        0.9
    """

    def __init__(self, tpr: float | Fraction = 0.95, output_transform: Callable[..., Any] = _as_it_is) -> None:
        super().__init__(metric_fn=FPRAtTPRMetric(tpr), output_transform=_joined(output_transform), save_details=False)
