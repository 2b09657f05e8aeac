"""The bundle that a run ends in."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from monai.bundle import ConfigParser

from prostate_alm.bundle import Predictor, check_hashes, load_weights
from prostate_alm.cohort import Cohort
from prostate_alm.networks import DualPathCNN
from prostate_alm.training.assemble import DEMO_NOTICE, PHANTOM_MODEL, SHARED, assemble, training_ranges
from prostate_alm.transforms import image_features


def content(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def test_its_inference_is_what_the_members_were_trained_with(tiny_run: tiny.Run) -> None:
    configs = tiny_run.folder / "bundle" / "configs"
    training = ConfigParser(config=content(configs / "train.json"))
    training.update(tiny.OVERRIDES)
    inference = content(configs / "inference.json")
    assert {name: inference[name] for name in SHARED} == {name: training[name] for name in SHARED}
    assert inference["spatial_shape"] == tiny.OVERRIDES["spatial_shape"]
    assert inference["member_def"]["channels"] == tiny.OVERRIDES["member_def::channels"]
    assert inference["members"] == tiny_run.settings.members
    assert content(configs / "metadata.json")["network_data_format"]["inputs"]["image"]["spatial_shape"] == [12, 12, 4]
    check_hashes(tiny_run.folder / "bundle")


@pytest.mark.parametrize("arm", ["base", "continued", "alm"])
def test_its_logit_is_the_mean_of_the_members_logits(arm: str, tiny_run: tiny.Run) -> None:
    predictor = Predictor.load(tiny_run.folder, arm=arm)
    design = content(tiny_run.folder / "bundle" / "configs" / "inference.json")["member_def"]
    logits: list[float] = []
    image = predictor.image(tiny_run.cohort.data()[1])
    for member in ("00", "01"):
        network = DualPathCNN(
            (12, 12, 4), channels=design["channels"], pooling=design["pooling"], hidden=design["hidden"]
        )
        load_weights(network, tiny_run.folder / "members" / member / arm / "model.pt")
        with torch.inference_mode():
            logits.append(float(network.eval()(image[None]).reshape(())))
    assert predictor.logit(image) == pytest.approx(sum(logits) / 2, rel=1e-6, abs=1e-6)
    assert logits[0] != logits[1]


def test_its_ranges_hold_every_training_case(tiny_run: tiny.Run) -> None:
    predictor = Predictor.load(tiny_run.folder)
    ranges = predictor.training_ranges
    assert ranges is not None
    assert (ranges["vendors"], ranges["models"], ranges["field_strengths_t"]) == (["V"], ["M0", "M1"], [3.0])
    rows = [image_features(predictor.image(case)) for case in tiny_run.cohort.data()]
    for name, (low, high) in ranges["features"].items():
        values = [row[name] for row in rows]
        spread = max(values) - min(values)
        assert low == pytest.approx(min(values) - 0.25 * spread)
        assert high == pytest.approx(max(values) + 0.25 * spread)


def test_ranges_come_from_the_cases_that_have_the_feature(tiny_run: tiny.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = iter([{"a": 1.0}, {"a": 3.0, "b": 5.0}])
    monkeypatch.setattr("prostate_alm.training.assemble.image_features", lambda _: next(rows))
    cohort = Cohort(tiny_run.cohort.folder, tuple(replace(case, scanner={}) for case in tiny_run.cohort.cases[:2]))
    ranges = training_ranges(cohort, Predictor.load(tiny_run.folder))
    assert ranges == {
        "vendors": [], "models": [], "field_strengths_t": [], "features": {"a": [0.5, 3.5], "b": [5.0, 5.0]},
        "acquisition": {}, "protocols": [],
    }  # fmt: skip


def test_ranges_hold_what_was_acquired_and_how(tiny_run: tiny.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prostate_alm.training.assemble.image_features", lambda _: {"a": 1.0})
    acquired = [
        {"t2w_slices": 20, "dwi_echo_time_ms": None, "b_values": [100, 600, 1000]},
        {"t2w_slices": 24, "dwi_echo_time_ms": 63.0, "b_values": [50, 400, 800]},
        {},
    ]
    cases = [
        replace(case, acquisition=each, harmonised=number == 1)
        for number, (case, each) in enumerate(zip(tiny_run.cohort.cases, acquired, strict=False))
    ]
    ranges = training_ranges(Cohort(tiny_run.cohort.folder, tuple(cases)), Predictor.load(tiny_run.folder))
    assert ranges["acquisition"] == {"t2w_slices": [20, 24], "dwi_echo_time_ms": [63.0, 63.0]}
    assert ranges["protocols"] == ["b 100, 600, 1000 as acquired", "b 50, 400, 800 harmonised"]


def test_weights_from_phantoms_say_so_and_others_do_not(tiny_run: tiny.Run, tmp_path: Path) -> None:
    assert Predictor.load(tiny_run.folder).notice == ""
    (tmp_path / "members").symlink_to(tiny_run.folder / "members")
    (tmp_path / ".bundle.part").mkdir()  # left behind by a kill
    first = tiny_run.cohort.cases[0]
    phantom = replace(first, scanner={"vendor": "V", "model": PHANTOM_MODEL})
    cohort = Cohort(tiny_run.cohort.folder, (phantom, *tiny_run.cohort.cases[1:]))
    assemble(tmp_path, tiny.BUNDLE, cohort, tiny.settings(alm=False, members=1))
    assert Predictor.load(tmp_path).notice == DEMO_NOTICE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "members"]


def test_a_finished_bundle_is_not_made_again(tiny_run: tiny.Run) -> None:
    folder = tiny_run.folder / "bundle"
    before = folder.stat().st_mtime_ns
    assert assemble(tiny_run.folder, Path("nowhere"), tiny_run.cohort, tiny.settings()) == folder
    assert folder.stat().st_mtime_ns == before
