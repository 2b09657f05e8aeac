"""Mean squared false error."""

from torch import Tensor

from prostate_alm.losses._binary import ClassMeanLoss


class MSFELoss(ClassMeanLoss):
    """The squared errors of the two classes, each class by its own mean (MSFE), so that both count the same.

    FPE^2 + FNE^2, with FPE = mean over the negatives of (s(z) - y)^2 / 2 and FNE the same over the positives.
    A class that the batch lacks contributes an exact 0 that still back-propagates.

    Args:
        reduction: "mean", or "sum" for sums instead of means within the classes. No case has a term of its own.

    Shapes:
        input: (B,) or (B, 1); target: the same; output: scalar.

    Raises:
        ValueError: if reduction is "none".

    Example:
        >>> import torch
        >>> MSFELoss()(torch.tensor([0.0, 0.0, 0.0]), torch.tensor([1.0, 0.0, 0.0]))
        tensor(0.0312)

    Reference:
        Wang et al. 2016, Training deep neural networks on imbalanced data sets.
    """

    def combined(self, errors: Tensor, labels: Tensor) -> Tensor:
        """FPE^2 + FNE^2."""
        halves = errors.square() / 2
        false_positive = self.reduced(((1 - labels) * halves).sum(), (1 - labels).sum())
        false_negative = self.reduced((labels * halves).sum(), labels.sum())
        return false_positive.square() + false_negative.square()
