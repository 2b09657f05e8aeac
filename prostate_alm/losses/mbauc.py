"""Mini-batch AUC optimisation."""

from torch import Tensor

from prostate_alm.losses._binary import ClassMeanLoss


class MBAUCLoss(ClassMeanLoss):
    """A square surrogate of the batch's AUC (MBAUC). It is compared with, never constrained.

    The mean over the pairs of a positive j and a negative k of (1 - (s(z_j) - s(z_k)))^2. With the errors
    u_j = 1 - s(z_j) and b_k = s(z_k) this is mean(u^2) + 2 mean(u) mean(b) + mean(b^2): O(P + N), no table of pairs.
    A batch without a positive or without a negative has no pairs and gives an exact 0 that still back-propagates.

    Args:
        reduction: "mean", or "sum" over the pairs. No case has a term of its own.

    Shapes:
        input: (B,) or (B, 1); target: the same; output: scalar.

    Raises:
        ValueError: if reduction is "none".

    Example:
        >>> import torch
        >>> MBAUCLoss()(torch.tensor([0.0, 0.0, 0.0]), torch.tensor([1.0, 0.0, 0.0]))
        tensor(1.)

    Reference:
        Gultekin et al. 2020, MBA: Mini-batch AUC optimization.
    """

    def combined(self, errors: Tensor, labels: Tensor) -> Tensor:
        """The sum over the pairs of (u_j + b_k)^2, which is 0 without pairs, or its mean."""
        u, b = labels * errors, (1 - labels) * errors
        positives, negatives = labels.sum(), (1 - labels).sum()
        total = negatives * u.square().sum() + 2 * u.sum() * b.sum() + positives * b.square().sum()
        return self.reduced(total, positives * negatives)
