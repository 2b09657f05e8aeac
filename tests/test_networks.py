"""The networks: shapes, two separate paths, the ensemble's mean, TorchScript."""

from collections.abc import Sequence

import pytest
import torch
from torch import nn

from prostate_alm.networks import CascadeCNN, ConvCascade, DualPathCNN, Ensemble

POOLING = ((2, 2, 1), (2, 2, 2))


def dual_path(**options: object) -> DualPathCNN:
    torch.manual_seed(0)
    return DualPathCNN((8, 8, 4), channels=(2, 3), pooling=POOLING, hidden=4, **options).eval()  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("dwi_channels", [1, 3])
def test_dual_path_gives_one_logit_per_case(batch: int, dwi_channels: int) -> None:
    network = dual_path(dwi_channels=dwi_channels)
    assert network(torch.zeros(batch, 1 + dwi_channels, 8, 8, 4)).shape == (batch, 1)


@pytest.mark.parametrize("in_channels", [1, 3])
def test_cascade_gives_one_logit_per_case(in_channels: int) -> None:
    network = CascadeCNN((8, 12), in_channels, channels=(2, 3), pooling=((2, 2), (4, 3)), hidden=4, kernel_size=5)
    assert network.path.features == 3 * 1 * 2
    assert network(torch.zeros(2, in_channels, 8, 12)).shape == (2, 1)


def test_the_features_are_counted_as_they_come() -> None:
    cascade = ConvCascade((9, 7, 5), 2, channels=(3, 4), pooling=((2, 2, 1), (2, 3, 5)))
    assert cascade(torch.zeros(2, 2, 9, 7, 5)).shape == (2, cascade.features) == (2, 4 * 2 * 1 * 1)


def test_either_path_sees_its_own_channels_alone() -> None:
    network = dual_path()
    for path, seen in ((network.t2w_path, [True, False, False, False]), (network.dwi_path, [False, True, True, True])):
        image = torch.rand(1, 4, 8, 8, 4, requires_grad=True)
        caught: list[torch.Tensor] = []
        hook = path.register_forward_hook(lambda _module, _inputs, output, caught=caught: caught.append(output))
        network(image)
        hook.remove()
        gradient = torch.autograd.grad(caught[0].sum(), image)[0]
        assert [bool(gradient[:, channel].abs().sum() > 0) for channel in range(4)] == seen


def test_the_logit_depends_on_every_channel() -> None:
    image = torch.rand(1, 4, 8, 8, 4, requires_grad=True)
    gradient = torch.autograd.grad(dual_path()(image).sum(), image)[0]
    assert all(float(gradient[:, channel].abs().sum()) > 0 for channel in range(4))


def test_the_paths_are_of_one_design_but_share_no_weight() -> None:
    network = dual_path(dwi_channels=1)
    shapes = [[value.shape for value in path.parameters()] for path in (network.t2w_path, network.dwi_path)]
    assert shapes[0] == shapes[1]
    assert not {id(value) for value in network.t2w_path.parameters()} & {
        id(value) for value in network.dwi_path.parameters()
    }


def test_dropout_acts_in_training_alone() -> None:
    network, image = dual_path(dropout=0.9), torch.rand(1, 4, 8, 8, 4)
    assert torch.equal(network(image), network(image))
    network.train()
    with torch.no_grad():
        assert len({float(network(image)) for _ in range(20)}) > 1


def different_members() -> Ensemble:
    ensemble = Ensemble(dual_path(), members=3)
    for index, member in enumerate(ensemble.members):
        torch.manual_seed(index)
        for value in member.parameters():
            nn.init.normal_(value)
    return ensemble.eval()


def test_the_ensemble_is_the_mean_of_its_members_logits() -> None:
    ensemble, image = different_members(), torch.rand(2, 4, 8, 8, 4)
    logits = [member(image) for member in ensemble.members]
    assert len({float(logit[0].detach()) for logit in logits}) == 3
    torch.testing.assert_close(ensemble(image), (logits[0] + logits[1] + logits[2]) / 3)


def test_the_members_are_copies() -> None:
    member = dual_path()
    before = [value.detach().clone() for value in member.parameters()]
    ensemble = Ensemble(member, members=2)
    with torch.no_grad():
        for value in ensemble.members[0].parameters():
            value.zero_()
    assert all(torch.equal(*pair) for pair in zip(member.parameters(), before, strict=True))
    assert all(torch.equal(*pair) for pair in zip(ensemble.members[1].parameters(), before, strict=True))


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # what is tested is deprecated upstream
@pytest.mark.parametrize("make", [dual_path, different_members])
def test_torchscript_agrees(make: type[nn.Module]) -> None:
    network, image = make(), torch.rand(2, 4, 8, 8, 4)
    torch.testing.assert_close(torch.jit.script(network)(image), network(image), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("channels", "pooling", "kernel_size", "message"),
    [
        ((2, 3), ((2, 2, 1),), 3, "stages"),
        ((2,), ((2, 2),), 3, "factors"),
        ((2,), ((2, 2, 1),), 4, "odd"),
        ((2, 3), ((4, 4, 4), (4, 1, 1)), 3, "leaves nothing"),
    ],
)
def test_a_design_that_cannot_work_is_rejected(
    channels: Sequence[int], pooling: Sequence[Sequence[int]], kernel_size: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        DualPathCNN((8, 8, 4), channels=channels, pooling=pooling, kernel_size=kernel_size)


def test_an_ensemble_of_none_is_rejected() -> None:
    with pytest.raises(ValueError, match="at least one member"):
        Ensemble(nn.Linear(1, 1), members=0)


@pytest.mark.parametrize("network", [dual_path(), CascadeCNN((8, 8), channels=(2,), pooling=((2, 2),))])
def test_networks_start_without_bias_and_with_logits_near_zero(network: nn.Module) -> None:
    parameters = dict(network.named_parameters())
    assert not any(bool(value.any()) for name, value in parameters.items() if name.endswith("bias"))
    assert 0 < float(parameters["head.3.weight"].detach().abs().max()) < 0.3


def usual_order(cascade: ConvCascade) -> nn.Sequential:
    """The same layers with ReLU before pooling, as everyone writes them."""
    layers = list(cascade)
    for place in range(1, len(layers) - 1, 3):
        assert isinstance(layers[place + 1], nn.ReLU)
        layers[place : place + 2] = [layers[place + 1], layers[place]]
    return nn.Sequential(*layers)


@pytest.mark.parametrize("constant", [False, True])
def test_pooling_before_relu_gives_the_values_and_gradients_of_the_usual_order(constant: bool) -> None:
    cascade = ConvCascade((12, 12), 3, channels=(4, 6), pooling=((2, 2), (3, 3))).double()
    image = torch.randn(5, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    if constant:  # every window ties; some are below 0 throughout
        image = image[:, :, :1, :1].expand(5, 3, 12, 12).contiguous()
    usual = usual_order(cascade)
    weights = list(cascade.parameters())
    ours, theirs = cascade(image), usual(image)
    assert torch.equal(ours, theirs)
    assert (ours == 0).any()
    pull = torch.randn(ours.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    for one, other in zip(
        torch.autograd.grad((ours * pull).sum(), weights),
        torch.autograd.grad((theirs * pull).sum(), weights),
        strict=True,
    ):
        assert torch.equal(one, other)


def test_logits_are_in_float32_under_autocast_and_do_not_tie() -> None:
    torch.manual_seed(0)
    network = CascadeCNN((16, 16), channels=(4,), pooling=((2, 2),))
    image = torch.randn(400, 3, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(image)
    assert logits.dtype == torch.float32
    assert len(torch.unique(logits)) > 390
    torch.testing.assert_close(logits, network(image), atol=0.05, rtol=0.05)
