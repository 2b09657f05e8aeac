"""Two ranks are one process with the same global batch, and go on after a kill."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import forked
import pytest
import tiny
import torch
import torch.distributed as dist
from monai.bundle import ConfigWorkflow

from prostate_alm.bundle import run_workflow
from prostate_alm.errors import UsageError

ARMS = {
    "base": ["train"],
    "continued": ["train", "continued"],
    "alm": ["train", "continued", "alm"],
    "aucm": ["train", "continued", "aucm"],
}
# name -> (arm, overrides); 15 training cases in batches of 6, 6 and 3: the last is odd
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "alm": ("alm", {"penalty": 0.5}),
    "msfe": ("continued", {"base_loss": {"_target_": "prostate_alm.losses.MSFELoss"}}),
    "balanced": ("base", {"balanced": True}),
    "aucm": ("aucm", {}),
    "accumulated": ("alm", {"accumulation_steps": 2}),
}
EPOCHS = 3
RECORD = {"+train::handlers": [{"_target_": "forked.Record", "folder": "@output_dir"}]}


@pytest.fixture(scope="module")
def folder(tiny_run: tiny.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every case as CASE/1 in one process and as CASE/2 in two; `killed` is `alm` in two, cut off.

    `grown` is `alm` again, its first epochs in one process, the last in two.
    """
    base = tmp_path_factory.mktemp("ranks")
    record = base / "record.json"
    record.write_text(json.dumps(RECORD))
    stages: list[forked.Stage] = []
    for name, (arm, overrides) in CASES.items():
        for ranks in (1, 2):
            configs = [*ARMS[arm], *(["multi_gpu_train"] if ranks > 1 else []), str(record)]
            stages.append(forked.Stage(configs, given(tiny_run, base / name / str(ranks), arm) | overrides, ranks))
    killed = base / "killed"
    overrides = given(tiny_run, killed, "alm") | CASES["alm"][1]
    configs = [*ARMS["alm"], "multi_gpu_train"]
    stages.append(forked.Stage(configs, overrides, 2, kill_when=str(killed / "train_state.pt")))
    grown = given(tiny_run, base / "grown", "alm") | CASES["alm"][1]
    stages.append(forked.Stage(ARMS["alm"], grown | {"max_epochs": EPOCHS - 1}))
    stages.append(forked.Stage(configs, grown, 2))
    forked.run(stages)
    return base


def given(run: tiny.Run, out: Path, arm: str) -> dict[str, Any]:
    start = {} if arm == "base" else {"start_from": str(run.folder / "members/00/base/model.pt")}
    places = {"dataset_dir": str(run.cohort.folder), "cache_dir": str(run.folder / "cache"), "output_dir": str(out)}
    return tiny.OVERRIDES | places | start | {"batch_size": 6, "max_epochs": EPOCHS, "learning_rate": 0.03}


def state(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "train_state.pt", weights_only=True)


def history(folder: Path) -> list[dict[str, float]]:
    return json.loads((folder / "result.json").read_text())["history"]


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_two_ranks_have_the_loss_curve_of_one_process(name: str, folder: Path) -> None:
    alone, ranks = forked.rows(folder / name / "1"), [forked.rows(folder / name / "2", rank) for rank in (0, 1)]
    losses = [row["loss"] for row in alone]
    assert len(set(losses)) == len(losses) >= 3 * EPOCHS - (name == "balanced")
    for rows in ranks:
        assert [row["loss"] for row in rows] == pytest.approx(losses, rel=1e-5, abs=1e-5)
    for one, two in zip(history(folder / name / "1"), history(folder / name / "2"), strict=True):
        assert two == pytest.approx(one, rel=1e-5, abs=1e-5)  # penalty, multipliers and AUC among them
    weights = [state(folder / name / ranks)["parts"]["network"] for ranks in ("1", "2")]
    assert weights[0].keys() == weights[1].keys()
    for key, value in weights[0].items():
        torch.testing.assert_close(weights[1][key], value, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_ranks_draw_the_batches_of_one_process(name: str, folder: Path) -> None:
    alone, ranks = forked.rows(folder / name / "1"), [forked.rows(folder / name / "2", rank) for rank in (0, 1)]
    padded = 0
    for one, *parts in zip(alone, *ranks, strict=True):
        drawn = [(case, mark) for part in parts for case, mark in zip(part["case_id"], part["padding"], strict=True)]
        assert [case for case, mark in drawn if not mark] == one["case_id"]
        assert len(parts[0]["case_id"]) == len(parts[1]["case_id"])
        padded += sum(mark for _, mark in drawn)
    assert padded == (0 if name == "balanced" else EPOCHS)


@pytest.mark.slow
def test_two_ranks_raise_the_multipliers_of_one_process(folder: Path) -> None:
    extras = [state(folder / "alm" / ranks)["parts"]["loss"]["_extra_state"] for ranks in ("1", "2")]
    assert extras[0]["schedule"] == pytest.approx(extras[1]["schedule"], rel=1e-6)
    one, two = (extra["multipliers"] for extra in extras)
    assert torch.equal(one["keys"], two["keys"])
    torch.testing.assert_close(two["values"], one["values"], rtol=1e-5, atol=1e-5)
    assert float(one["values"].max()) > 0


@pytest.mark.slow
def test_a_stage_may_go_on_with_another_number_of_ranks(folder: Path) -> None:
    for one, grown in zip(history(folder / "alm" / "1"), history(folder / "grown"), strict=True):
        assert grown == pytest.approx(one, rel=1e-5, abs=1e-5)


@pytest.mark.slow
def test_weights_of_ranks_load_anywhere(folder: Path, tiny_run: tiny.Run) -> None:
    weights = torch.load(folder / "msfe" / "2" / "model.pt", weights_only=True)
    wanted = torch.load(tiny_run.folder / "members/00/base/model.pt", weights_only=True)
    assert {name: value.shape for name, value in weights.items()} == {
        name: value.shape for name, value in wanted.items()
    }
    assert {value.device.type for value in weights.values()} == {"cpu"}


def torchrun(elsewhere: Path, configs: list[str], overrides: dict[str, Any]) -> "subprocess.CompletedProcess[str]":
    """The documented command, from another folder."""
    names = [str(tiny.BUNDLE / "configs" / f"{name}.json") for name in configs]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m"]
    command += ["monai.bundle", "run", "--config_file", str(names), "--bundle_root", str(tiny.BUNDLE)]
    command += ["--meta_file", str(tiny.BUNDLE / "configs" / "metadata.json")]
    command += [text for name, value in overrides.items() for text in (f"--{name}", json.dumps(value))]
    return subprocess.run(
        command, cwd=elsewhere, env=os.environ | forked.ENVIRONMENT, capture_output=True, text=True, timeout=300
    )


@pytest.mark.slow
def test_two_killed_ranks_go_on_bit_for_bit_by_the_documented_command(
    folder: Path, tiny_run: tiny.Run, tmp_path: Path
) -> None:
    killed = folder / "killed"
    assert (killed / "train_state.pt").exists()
    assert not (killed / "result.json").exists()
    overrides = given(tiny_run, killed, "alm") | CASES["alm"][1]
    done = torchrun(tmp_path, [*ARMS["alm"], "multi_gpu_train"], overrides)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (killed / "model.pt").read_bytes() == (folder / "alm" / "2" / "model.pt").read_bytes()
    assert history(killed) == history(folder / "alm" / "2")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader:UserWarning")  # an optional codec that MONAI looks for
def test_multi_gpu_has_every_property_that_monai_asks_for(
    tiny_run: tiny.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    for name, value in (told | {"GLOO_SOCKET_IFNAME": "lo"}).items():
        monkeypatch.setenv(name, str(value))
    flow = ConfigWorkflow(
        config_file=[str(tiny.BUNDLE / "configs" / f"{name}.json") for name in ("train", "multi_gpu_train")],
        meta_file=str(tiny.BUNDLE / "configs" / "metadata.json"),
        logging_file=False,
        bundle_root=str(tiny.BUNDLE),
        **given(tiny_run, tmp_path, "base"),
    )
    try:
        flow.initialize()
        assert dist.get_world_size() == 1
        assert flow.check_properties() == []
    finally:
        flow.finalize()
    assert not dist.is_initialized()


def test_without_ranks_the_config_says_how_to_start_them(
    tiny_run: tiny.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(UsageError, match=r"started by 'python -m torch\.distributed\.run"):
        run_workflow(tiny.BUNDLE, ["train", "multi_gpu_train"], given(tiny_run, tmp_path, "base"))
