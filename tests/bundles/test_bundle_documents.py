"""What the bundles' documents say holds: sections, figures, and every command they show."""

import ast
import inspect
import json
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import monai.bundle
import pytest
import tiny
import torch
import typer.main
from monai.bundle import ConfigParser
from small_bundle import make_small_bundle

from prostate_alm.bundle import Predictor, find_bundle
from prostate_alm.bundle.export import FORMS, read_source
from prostate_alm.cli.app import app

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
import write_performance

BUNDLES = [tiny.BUNDLE, find_bundle("cifar10_alm_classification")]
SECTIONS = (
    "Model overview", "Data", "Input and output", "Training", "Performance", "Commands", "References", "License"
)  # fmt: skip


def readme(bundle: Path) -> str:
    return (bundle / "docs" / "README.md").read_text(encoding="utf-8")


def commands(bundle: Path) -> list[list[str]]:
    """The words of every command in a README's console blocks."""
    blocks = re.findall(r"^```console\n(.*?)^```", readme(bundle), re.MULTILINE | re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


COMMANDS = [(bundle, words) for bundle in BUNDLES for words in commands(bundle)]


def label(value: Any) -> str:
    return value.name if isinstance(value, Path) else " ".join(value)[:60]


@pytest.mark.parametrize("bundle", BUNDLES, ids=label)
def test_a_document_says_what_the_model_zoo_s_template_asks_for(bundle: Path) -> None:
    found = re.findall(r"^## (.*)$", readme(bundle), re.MULTILINE)
    assert found == list(SECTIONS)
    assert "Research software, not a medical device." in readme(bundle)


def test_the_prostate_document_says_what_its_weights_are() -> None:
    notice = json.loads((tiny.BUNDLE / "configs" / "metadata.json").read_text())["weights"]
    assert notice in readme(tiny.BUNDLE).replace("\n", " ")


def test_the_table_is_that_of_the_metadata() -> None:
    """After a change: python tools/write_performance.py"""
    metrics = json.loads((tiny.BUNDLE / "configs" / "metadata.json").read_text())["eval_metrics"]
    wanted = write_performance.BEGIN + write_performance.table(metrics) + write_performance.END
    assert wanted in readme(tiny.BUNDLE)
    assert wanted.count("\n| ") == 4


def test_a_table_is_written_from_figures() -> None:
    figures = {"AUC": {"value": 0.5, "interval": [0.25, 0.75]}, "FPR": {"value": 0.1, "interval": [0.0, 0.2]}}
    wanted = "\n| c | AUC | FPR |\n|---|---|---|\n| alm | 0.500 (0.250 to 0.750) | 0.100 (0.000 to 0.200) |\n\n"
    assert write_performance.table({"c": {"alm": figures}}) == wanted


@pytest.mark.parametrize(("bundle", "words"), COMMANDS, ids=label)
def test_a_command_in_a_document_is_one(bundle: Path, words: list[str]) -> None:
    if words[0] == "prostate-alm":
        check_own_command(words[1:])
    else:
        assert words[:2] == ["python", "-m"]
        check_monai_command(bundle, words[words.index("monai.bundle") + 1 :])


@pytest.mark.parametrize("bundle", BUNDLES, ids=label)
def test_the_documents_show_every_use(bundle: Path) -> None:
    shown = {words[words.index("monai.bundle") + 1] for words in commands(bundle) if "monai.bundle" in words}
    assert shown == {"run", "verify_metadata", "verify_net_in_out", "ckpt_export", "onnx_export"}


def options(words: list[str]) -> dict[str, str]:
    assert len(words) % 2 == 0
    assert all(name.startswith("--") for name in words[::2])
    return dict(zip((name[2:] for name in words[::2]), words[1::2], strict=True))


def check_own_command(words: list[str]) -> None:
    group = typer.main.get_command(app)
    command = group.commands[words[0]]  # type: ignore[attr-defined]
    known = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def check_monai_command(bundle: Path, words: list[str]) -> None:
    given = options(words[1:])
    parameters = inspect.signature(getattr(monai.bundle, words[0])).parameters
    config = read(bundle, given.get("config_file", "configs/metadata.json"))
    for name in given:
        assert name in parameters or name in config, name
    if "net_id" in given:
        assert given["net_id"] in config
    if "converter_kwargs" in given:
        assert ast.literal_eval(given["converter_kwargs"])["input_names"] == ["x"]


def read(bundle: Path, files: str) -> ConfigParser:
    names: list[str] = ast.literal_eval(files) if files.startswith("[") else [files]
    parser = ConfigParser()
    parser.read_config([str(bundle / name) for name in names])
    return parser


def test_a_command_that_is_none_is_refused() -> None:
    for words in (["run", "--config_file", "configs/train.json", "--no_such_key", "1"], ["no_such_command"]):
        with pytest.raises((AssertionError, AttributeError)):
            check_monai_command(tiny.BUNDLE, words)
    with pytest.raises(AssertionError):
        check_own_command(["prepare", "STUDIES", "--no-such-option", "x"])


# the page docs/bundles.md

PAGE = (Path(__file__).parents[2] / "docs" / "bundles.md").read_text(encoding="utf-8")
LOADING, DEPLOY = PAGE.split("## MONAI Deploy")


def examples(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_every_form_is_loaded_as_the_page_says(exported_bundle: Path) -> None:
    names: dict[str, Any] = {"bundle": exported_bundle, "image": read_source(exported_bundle).images}
    for example in examples(LOADING):
        exec(example, names)
    for form in ("torchscript", "exported", "onnx"):
        torch.testing.assert_close(torch.as_tensor(names[form]), names["eager"], rtol=1e-5, atol=1e-5)


class Stub:
    """Stands in for the base classes of MONAI Deploy, which is not installed."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self.given = given, named


@pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader:UserWarning")  # an optional codec that MONAI looks for
def test_the_operator_of_the_page_gives_the_predictor_s_logit(
    tiny_run: tiny.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy = {"monai.deploy": [], "monai.deploy.core": ["Application", "Operator"]}
    for name, classes in (deploy | {"monai.deploy.conditions": ["CountCondition"]}).items():
        module = ModuleType(name)
        for stub in classes:
            setattr(module, stub, Stub)
        monkeypatch.setitem(sys.modules, name, module)
    bundle = make_small_bundle(tmp_path / "bundle", members=2)
    source = read_source(bundle)
    (bundle / "models" / "model.ts").write_bytes(FORMS["model.ts"].write(source))
    names: dict[str, Any] = {"__name__": "example"}
    (example,) = examples(DEPLOY)
    exec(example, names)
    case = tiny_run.cohort.data()[0]
    volumes = {name: SimpleNamespace(save=lambda _, name=name: case[name]) for name in names["REQUIRED"]}
    operator = names["ProstateLogit"](None, model_path=bundle / "models" / "model.ts")
    predictor = Predictor(bundle, bundle / "models" / "model.pt")
    wanted = predictor.logit(predictor.image(case))
    sent: list[Any] = []
    for ready, logit in ((True, pytest.approx(wanted, abs=1e-5)), (False, None)):
        reading = SimpleNamespace(study_key="k", ready=ready, problems=("p",), volumes=volumes)
        given = SimpleNamespace(receive=lambda _, reading=reading: reading)
        operator.compute(given, SimpleNamespace(emit=lambda value, _: sent.append(value)), None)
        assert sent.pop() == {"study_key": "k", "logit": logit, "problems": ["p"]}
