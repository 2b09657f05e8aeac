"""Every base loss and MONAI's AUCMLoss go through the one trainer; what is wrong with them is one line."""

import json
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from ignite.engine import Engine
from monai.losses import AUCMLoss

from prostate_alm.bundle import run_workflow
from prostate_alm.errors import NotFiniteError, UsageError
from prostate_alm.losses import BASE_LOSSES, NEVER_CONSTRAINED, BCELoss
from prostate_alm.training import ARMS, NonNegative, TrainingSettings, label_columns, train

SHORT: dict[str, Any] = {"members": 1, "epochs": 1, "constrained_epochs": 1}


def result(run: Path, arm: str) -> dict[str, Any]:
    return json.loads((run / "members" / "00" / arm / "result.json").read_text())


@pytest.mark.parametrize("loss", BASE_LOSSES)
def test_every_base_loss_trains_under_the_constraint_or_is_refused_it(
    loss: str, tiny_run: tiny.Run, fresh: Path
) -> None:
    if loss in NEVER_CONSTRAINED:
        with pytest.raises(UsageError, match=f"{loss} is compared with, never constrained: train it with --no-alm"):
            train(tiny_run.cohort.folder, fresh, tiny.BUNDLE, tiny.settings(loss=loss))
    settings = tiny.settings(loss=loss, alm=loss not in NEVER_CONSTRAINED, **SHORT)
    train(tiny_run.cohort.folder, fresh, tiny.BUNDLE, settings, processes=1)
    for arm in settings.arms:
        assert len(result(fresh, arm)["history"]) == 1
    assert ("alm" in settings.arms) == (loss not in NEVER_CONSTRAINED)


def test_aucm_is_an_arm_of_the_same_trainer(tiny_run: tiny.Run, fresh: Path) -> None:
    """From the base's checkpoint, as long as continued; the saddle point's own parameters are trained and kept."""
    settings = tiny.settings(aucm=True, members=1)
    assert settings.arms == ("base", "continued", "aucm", "alm")
    bundle = train(tiny_run.cohort.folder, fresh, tiny.BUNDLE, settings, processes=1)
    assert {path.name for path in (bundle / "models").glob("*.pt")} == {
        *("model.pt", "model_base.pt", "model_continued.pt", "model_aucm.pt")
    }
    assert len(result(fresh, "aucm")["history"]) == len(result(fresh, "continued")["history"]) == 3
    hashes = {arm: result(fresh, arm)["weights_sha256"] for arm in settings.arms}
    assert hashes["aucm"] not in (hashes["continued"], hashes["alm"])
    state = torch.load(fresh / "members/00/aucm/train_state.pt", weights_only=True)["parts"]
    assert set(state["loss"]) == {"a", "b", "alpha"}
    assert all(float(value) != 0 for value in state["loss"].values())
    assert [group.get("maximize") for group in state["optimizer"]["param_groups"]] == [False, False, True]


def test_alpha_stays_at_zero_where_the_classes_are_apart_by_more_than_the_margin() -> None:
    loss = AUCMLoss()
    optimizer = torch.optim.SGD([{"params": [loss.alpha], "maximize": True}], lr=0.1)
    engine = Engine(lambda _engine, _batch: optimizer.step())
    NonNegative(loss.alpha).attach(engine)
    for logits, apart in (([3.0, -2.0], True), ([0.1, 0.0], False)):
        optimizer.zero_grad()
        loss(torch.tensor(logits)[:, None], torch.tensor([[1], [0]])).backward()
        engine.run([0])
        assert (float(loss.alpha.detach()) == 0) == apart


def test_aucm_without_alm_is_the_main_arm() -> None:
    assert TrainingSettings(alm=False, aucm=True).arms == ("base", "continued", "aucm")
    assert set(TrainingSettings(aucm=True).arms) == set(ARMS)


def test_alpha_rises_where_the_other_parameters_fall() -> None:
    loss = AUCMLoss()
    groups = [{"params": [loss.a, loss.b]}, {"params": [loss.alpha], "maximize": True}]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    image, labels = label_columns({"image": torch.tensor([[1.0], [-1.0]]), "label": torch.tensor([1, 0])}, "cpu")
    loss(image, labels).backward()
    slopes = {name: float(value.grad) for name, value in loss.named_parameters() if value.grad is not None}
    optimizer.step()
    for name, value in loss.named_parameters():
        assert float(value.detach()) == pytest.approx((0.1 if name == "alpha" else -0.1) * slopes[name])
    assert slopes["a"] < 0 < slopes["b"]


@pytest.mark.parametrize("loss", ["a-fl", "s-fl"])
def test_the_parameters_of_a_base_loss_can_be_set(loss: str, tiny_run: tiny.Run, fresh: Path) -> None:
    changed = tiny.settings(loss=loss, alm=False, overrides=tiny.OVERRIDES | {"base_loss::gamma": 5.0}, **SHORT)
    for folder, settings in (("five", changed), ("two", tiny.settings(loss=loss, alm=False, **SHORT))):
        train(tiny_run.cohort.folder, fresh / folder, tiny.BUNDLE, settings, processes=1)
    assert result(fresh / "five", "base")["weights_sha256"] != result(fresh / "two", "base")["weights_sha256"]
    with pytest.raises(UsageError, match="base_loss::gama is no key"):
        train(tiny_run.cohort.folder, fresh, tiny.BUNDLE, tiny.settings(loss=loss, overrides={"base_loss::gama": 1}))
    for key in ("base_loss", "base_loss::_target_"):
        with pytest.raises(UsageError, match=f"{key} cannot be replaced"):
            train(tiny_run.cohort.folder, fresh, tiny.BUNDLE, tiny.settings(overrides={key: "x"}))
    bad = tiny.settings(loss=loss, alm=False, overrides=tiny.OVERRIDES | {"base_loss::gamma": -1}, **SHORT)
    with pytest.raises(UsageError, match="gamma must be finite and >= 0, got -1"):
        train(tiny_run.cohort.folder, fresh / "bad", tiny.BUNDLE, bad, processes=1)


@pytest.mark.parametrize(
    ("arms", "remedy"), [(["train"], "diverged"), (["train", "continued", "alm"], "penalty mu = ")]
)
def test_a_diverged_network_is_one_line_that_names_the_value(
    arms: list[str], remedy: str, tiny_run: tiny.Run, fresh: Path
) -> None:
    overrides = tiny.OVERRIDES | {
        "dataset_dir": str(tiny_run.cohort.folder),
        "output_dir": str(fresh),
        "cache_dir": str(fresh / "cache"),
        "start_from": str(tiny_run.folder / "members/00/base/model.pt"),
        "learning_rate": 1e30,
    }
    with pytest.raises(NotFiniteError, match=rf"logits must be finite, got (nan|-?inf) at position \d+: .*{remedy}"):
        run_workflow(tiny.BUNDLE, arms, overrides)


def overlay() -> dict[str, Any]:
    """The overlay that the method's page prints."""
    page = (tiny.BUNDLE.parents[1] / "docs" / "method.md").read_text(encoding="utf-8")
    return json.loads(page.partition("```json")[2].partition("```")[0])


def places(tiny_run: tiny.Run, out: Path) -> dict[str, Any]:
    return tiny.OVERRIDES | {
        "dataset_dir": str(tiny_run.cohort.folder),
        "output_dir": str(out),
        "cache_dir": str(out / "cache"),
        "start_from": str(tiny_run.folder / "members/00/base/model.pt"),
        "max_epochs": 4,
        "learning_rate": 0.03,
    }


@pytest.mark.parametrize("arm", ["base", "alm"])
def test_a_stage_can_be_selected_on_fpr_at_full_sensitivity(arm: str, tiny_run: tiny.Run, fresh: Path) -> None:
    """The lowest FPR at 0 FN decides, ties to the earliest epoch; the penalty still follows the AUC."""
    run_workflow(tiny.BUNDLE, ARMS[arm], places(tiny_run, fresh) | overlay())
    made = json.loads((fresh / "result.json").read_text())
    rates = [row["val_fpr"] for row in made["history"]]
    assert all(0 <= rate <= 1 for rate in rates)
    assert made["best_metric"] == min(rates)
    assert made["best_epoch"] == 1 + rates.index(min(rates))


def test_a_stage_is_not_resumed_under_another_metric_or_loss(tiny_run: tiny.Run, fresh: Path) -> None:
    given = places(tiny_run, fresh) | {"max_epochs": 2}
    run_workflow(tiny.BUNDLE, ARMS["aucm"], given)
    for change in (overlay(), {"aucm_loss::margin": 5.0}, {"optimizer::params#2::maximize": False}):
        with pytest.raises(UsageError, match="holds a stage of other settings"):
            run_workflow(tiny.BUNDLE, ARMS["aucm"], given | {"max_epochs": 3} | change)


def test_a_metric_that_is_not_there_is_named(tiny_run: tiny.Run, fresh: Path) -> None:
    with pytest.raises(UsageError, match="no metric 'val_foo' to select on, only val_auc"):
        run_workflow(tiny.BUNDLE, ["train"], places(tiny_run, fresh) | {"select_by": "val_foo"})
    renamed = {"train::handlers#6::auc_name": "val_foo"}
    with pytest.raises(UsageError, match="the penalty needs the metric 'val_foo'"):
        run_workflow(tiny.BUNDLE, ARMS["alm"], places(tiny_run, fresh / "alm") | renamed)


def test_an_undefined_metric_is_not_called_divergence(tiny_run: tiny.Run, fresh: Path) -> None:
    undefined = overlay() | {"validate::key_metric::val_fpr::misses": 1000}
    with pytest.raises(UsageError, match="val_fpr is undefined in epoch 1"):
        run_workflow(tiny.BUNDLE, ["train"], places(tiny_run, fresh) | undefined)


def test_labels_become_columns_and_stay_what_they_are() -> None:
    for labels in (torch.tensor([0, 1]), torch.tensor([[0], [1]])):
        image, columns = label_columns({"image": torch.zeros(2, 1), "label": labels}, "cpu")
        assert image.shape == (2, 1)
        assert columns.tolist() == [[0], [1]]
    logits = torch.tensor([[2.0], [-1.0]])
    assert torch.equal(BCELoss()(logits, columns), BCELoss()(logits, columns[:, 0]))


def test_a_batch_without_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="no label, only image"):
        label_columns({"image": torch.zeros(2, 1)}, "cpu")
