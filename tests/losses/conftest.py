"""The nine base losses, for the tests of what they share."""

from collections.abc import Callable
from functools import partial

import pytest
from torch.nn.modules.loss import _Loss

from prostate_alm.losses import (
    AsymmetricFocalLoss,
    AsymmetricMarginLoss,
    BCELoss,
    ClassBalancedBCELoss,
    MBAUCLoss,
    MSFELoss,
    SymmetricFocalLoss,
    SymmetricMarginLoss,
    WeightedBCELoss,
)

PER_CASE: dict[str, Callable[..., _Loss]] = {
    "bce": BCELoss,
    "s-ml": partial(SymmetricMarginLoss, margin=0.5),
    "a-ml": partial(AsymmetricMarginLoss, margin=0.5),
    "s-fl": partial(SymmetricFocalLoss, gamma=2.0),
    "a-fl": partial(AsymmetricFocalLoss, gamma=2.0),
    "w-bce": partial(WeightedBCELoss, weight=3.0),
    "cb-bce": partial(ClassBalancedBCELoss, class_counts=(30, 15), beta=0.99),
}
CLASS_MEAN: dict[str, Callable[..., _Loss]] = {"msfe": MSFELoss, "mbauc": MBAUCLoss}


def _choice(request: pytest.FixtureRequest) -> Callable[..., _Loss]:
    return {**PER_CASE, **CLASS_MEAN}[request.param]


# of the session, since Hypothesis refuses a narrower scope; the losses keep no state
build = pytest.fixture(_choice, scope="session", params=[*PER_CASE, *CLASS_MEAN], name="build")
build_per_case = pytest.fixture(_choice, scope="session", params=[*PER_CASE], name="build_per_case")
build_class_mean = pytest.fixture(_choice, scope="session", params=[*CLASS_MEAN], name="build_class_mean")


@pytest.fixture(scope="session")
def loss(build: Callable[..., _Loss]) -> _Loss:
    """Each of the nine losses, with reduction "mean"."""
    return build()
