"""Binary cross-entropy."""

from torch import Tensor
from torch.nn import functional

from prostate_alm.losses._binary import BinaryLoss, own_logits


class BCELoss(BinaryLoss):
    """Binary cross-entropy on logits, finite for every finite logit.

    -y log s(z) - (1 - y) log(1 - s(z)), from log-sigmoid.

    Args:
        reduction: "mean", "sum" or "none".

    Shapes:
        input: (B,) or (B, 1); target: the same; output: scalar, or (B,) with "none". No cases: an exact 0.

    Raises:
        ValueError: if reduction is unknown; from `forward` on bad shapes, labels or logits that are not finite.

    Example:
        >>> import torch
        >>> BCELoss()(torch.tensor([[0.0], [0.0]]), torch.tensor([[1.0], [0.0]]))
        tensor(0.6931)
    """

    def terms(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of every case."""
        return -functional.logsigmoid(own_logits(logits, labels))
