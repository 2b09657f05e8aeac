"""The paper's networks: cascades of convolution, ReLU and max pooling, one or two paths, and their ensemble."""

# torch's tolist and monai's factories are untyped
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportPrivateImportUsage=false

import copy
from collections.abc import Sequence

import torch
from monai.networks.layers.factories import Conv, Pool
from torch import Tensor, nn


class ConvCascade(nn.Sequential):
    """Convolution, ReLU and max pooling, stage after stage, then one feature vector.

    The last pooling may be as large as the map that is left: it is then a global maximum, and the features do not
    depend on where something lies.

    Args:
        spatial_shape: size of the input along each spatial axis, in voxels.
        in_channels: channels of the input.
        channels: channels of each stage.
        pooling: pooling factor of each stage, per axis (slices are thick: pool in-plane first).
        kernel_size: odd size of the kernels, the same along every axis.

    Shapes:
        input: (B, in_channels, H, W) or (B, in_channels, H, W, D); output: (B, features).

    Raises:
        ValueError: if stages and pooling do not match, or pooling leaves nothing.

    Example:
        >>> cascade = ConvCascade((8, 8), 3, channels=(4, 8), pooling=((2, 2), (4, 4)))
        >>> cascade(torch.zeros(2, 3, 8, 8)).shape, cascade.features
        (torch.Size([2, 8]), 8)
    """

    def __init__(
        self,
        spatial_shape: Sequence[int],
        in_channels: int,
        channels: Sequence[int],
        pooling: Sequence[Sequence[int]],
        kernel_size: int = 3,
    ) -> None:
        dimensions = len(spatial_shape)
        if len(channels) != len(pooling) or any(len(factors) != dimensions for factors in pooling):
            raise ValueError(
                f"pooling needs {len(channels)} stages (one for each of channels) of {dimensions} factors: {pooling}"
            )
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {kernel_size}")
        convolution, max_pool = Conv[Conv.CONV, dimensions], Pool[Pool.MAX, dimensions]
        layers: list[nn.Module] = []
        size = list(spatial_shape)
        for width, factors in zip(channels, pooling, strict=True):
            layers += [  # pooled before ReLU: the same values and gradients as after it, on fewer numbers
                convolution(in_channels, width, kernel_size, padding=kernel_size // 2),
                max_pool(tuple(factors)),
                nn.ReLU(),
            ]
            in_channels = width
            size = [length // factor for length, factor in zip(size, factors, strict=True)]
        if min(size) < 1:
            raise ValueError(f"pooling {pooling} leaves nothing of an image of {tuple(spatial_shape)} voxels")
        super().__init__(*layers, nn.Flatten())
        self.features = in_channels * int(torch.tensor(size).prod())


class LogitLayer(nn.Linear):
    """One logit from features, in float32 also under autocast: logits in bfloat16 would tie.

    Args:
        features: number of features.

    Shapes:
        input: (B, features); output: (B, 1), float32.

    Example:
        >>> with torch.autocast("cpu", dtype=torch.bfloat16):
        ...     LogitLayer(4)(torch.zeros(2, 4)).dtype
        torch.float32
    """

    def __init__(self, features: int) -> None:
        super().__init__(features, 1)

    def forward(self, input: Tensor) -> Tensor:
        """Logits (B, 1)."""
        # a product and a sum, which autocast leaves alone
        return (input.float() * self.weight).sum(dim=1, keepdim=True) + self.bias


def _head(features: int, hidden: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(dropout), LogitLayer(hidden))


def _initialise(network: nn.Module) -> None:
    """He initialisation (He et al. 2015) with zero biases, and a small last layer, so that logits start near 0.

    torch's default leaves a small 3D network on a plateau for its first 15 to 20 epochs.
    """
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        else:
            nn.init.kaiming_normal_(parameter, nonlinearity="relu")
    *_, weight, _ = network.parameters()
    nn.init.normal_(weight, std=0.05)


class CascadeCNN(nn.Module):
    """One cascade and a fully connected head: the paper's network for CIFAR10.

    Args:
        spatial_shape: size of the input along each spatial axis.
        in_channels: channels of the input.
        channels: channels of each stage.
        pooling: pooling factor of each stage, per axis.
        kernel_size: odd size of the kernels.
        hidden: width of the hidden layer.
        dropout: probability of dropping a hidden unit.

    Shapes:
        input: (B, in_channels, H, W) or (B, in_channels, H, W, D); output: logits (B, 1).

    Example:
        >>> network = CascadeCNN((32, 32), 3, channels=(4, 8), pooling=((2, 2), (2, 2)))
        >>> network(torch.zeros(5, 3, 32, 32)).shape
        torch.Size([5, 1])
    """

    def __init__(
        self,
        spatial_shape: Sequence[int],
        in_channels: int = 3,
        channels: Sequence[int] = (16, 32, 64),
        pooling: Sequence[Sequence[int]] = ((2, 2), (2, 2), (2, 2)),
        kernel_size: int = 3,
        hidden: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.path = ConvCascade(spatial_shape, in_channels, channels, pooling, kernel_size)
        self.head = _head(self.path.features, hidden, dropout)
        _initialise(self)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, 1)."""
        return self.head(self.path(image))


class DualPathCNN(nn.Module):
    """Two parallel cascades of the same layers, one for T2 and one for DWI, joined before the head.

    Channel 0 of the image is T2, the others are the b-values: one input tensor, so that every MONAI tool works.

    Args:
        spatial_shape: size of the image along each spatial axis, in voxels.
        dwi_channels: number of b-values.
        channels: channels of each stage.
        pooling: pooling factor of each stage, per axis.
        kernel_size: odd size of the kernels.
        hidden: width of the hidden layer.
        dropout: probability of dropping a hidden unit.

    Shapes:
        input: (B, 1 + dwi_channels, H, W, D); output: logits (B, 1).

    Raises:
        ValueError: if stages and pooling do not match, or pooling leaves nothing.

    Example:
        >>> network = DualPathCNN((16, 16, 4), channels=(4, 8), pooling=((2, 2, 1), (8, 8, 4)))
        >>> network(torch.zeros(2, 4, 16, 16, 4)).shape
        torch.Size([2, 1])

    Reference:
        arXiv:2102.12894, Appendix B.
    """

    def __init__(
        self,
        spatial_shape: Sequence[int],
        dwi_channels: int = 3,
        channels: Sequence[int] = (8, 16, 32),
        pooling: Sequence[Sequence[int]] = ((2, 2, 1), (2, 2, 2), (2, 2, 2)),
        kernel_size: int = 3,
        hidden: int = 32,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.t2w_path = ConvCascade(spatial_shape, 1, channels, pooling, kernel_size)
        self.dwi_path = ConvCascade(spatial_shape, dwi_channels, channels, pooling, kernel_size)
        self.head = _head(self.t2w_path.features + self.dwi_path.features, hidden, dropout)
        _initialise(self)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, 1)."""
        features = torch.cat([self.t2w_path(image[:, :1]), self.dwi_path(image[:, 1:])], dim=1)
        return self.head(features)


class Ensemble(nn.Module):
    """The mean logit of several networks of one design, as one module.

    Args:
        member: a network; it is copied, so its own weights stay as they are.
        members: how many copies.

    Shapes:
        input: as the member's; output: logits (B, 1).

    Raises:
        ValueError: if `members` is less than 1.

    Example:
        >>> ensemble = Ensemble(nn.Linear(2, 1), members=3)
        >>> ensemble(torch.zeros(4, 2)).shape
        torch.Size([4, 1])
    """

    def __init__(self, member: nn.Module, members: int = 10) -> None:
        super().__init__()
        if members < 1:
            raise ValueError(f"an ensemble needs at least one member, got {members}")
        self.members = nn.ModuleList([copy.deepcopy(member) for _ in range(members)])

    def forward(self, image: Tensor) -> Tensor:
        """Mean of the members' logits (B, 1)."""
        logits = [member(image) for member in self.members]
        return torch.stack(logits).mean(dim=0)
