"""The static check: both bundles pass, every way out that a config may try is refused, nothing is ever evaluated."""

import json
import re
import runpy
import shutil
import sys
import time
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import tiny
from evil_configs import EVIL, WRITE, make, target
from monai.bundle import ConfigParser

from prostate_alm.bundle import Predictor, find_bundle, run_workflow, write_hashes
from prostate_alm.bundle.allowed import site_components
from prostate_alm.bundle.static import Finding, check_static, static_findings
from prostate_alm.errors import IntegrityError, ModelError
from prostate_alm.losses import BASE_LOSSES

BUNDLES = ("prostate_dce_classification", "cifar10_alm_classification")
TOOL = Path(__file__).parents[2] / "tools" / "check_bundle.py"


@pytest.fixture(params=EVIL, ids=list(EVIL))
def evil(request: pytest.FixtureRequest) -> tuple[Any, str, str]:
    return EVIL[request.param]


def test_every_way_out_is_refused_and_named(evil: tuple[Any, str, str], tmp_path: Path) -> None:
    content, key, says = evil
    before = set(sys.modules)
    found = static_findings(make(tmp_path / "bundle", content))
    assert not (tmp_path / "canary").exists()
    assert set(sys.modules) == before
    named = [finding for finding in found if (finding.file, finding.key) == ("configs/evil.json", key)]
    assert named, found
    assert any(re.search(says, finding.reason) for finding in named), named
    assert all("\n" not in str(finding) and str(finding).isprintable() for finding in found)
    with pytest.raises((IntegrityError, ModelError), match=r"configs/evil\.json: "):
        check_static(tmp_path / "bundle")
    assert not (tmp_path / "canary").exists()


LIVE = ["dunder import", "subprocess.run", "module in a module", "os.system", "reader", "reader by its place"]


@pytest.mark.parametrize("name", [*LIVE, "text that it breaks open at another place"])
def test_the_battery_is_live_monai_would_have_run_it(name: str, tmp_path: Path) -> None:
    make(tmp_path / "bundle", EVIL[name][0])
    parser = ConfigParser()
    parser.read_config(str(tmp_path / "bundle" / "configs" / "evil.json"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parser.parse()  # a workflow does: what a macro copied is resolved where it was copied to
        try:
            made = parser.get_parsed_content("x")
        except Exception as error:
            made = error
    for process in (made, *getattr(getattr(made, "_loader", None), "readers", ())):
        if hasattr(process, "wait"):
            process.wait()
    assert (tmp_path / "canary").exists(), made


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("twice.json", '{"x": 1, "x": "$open(1)"}', "the key 'x' stands twice"),
        ("twice.yaml", "x: 1\nx: 2\n", "the key 'x' stands twice"),
        ("broken.json", '{"x": 1,\n "y" 2}', "line 2, column 6"),
        ("broken.yml", "x: [1,\ny: 2", r"line 2, column 5: no YAML"),
        ("list.json", "[1]", "is a list"),
        ("deep.json", "[" * 100_000, "nested too deeply"),
        ("python.yaml", "x: !!python/object/apply:os.system ['true']", "no YAML"),
        ("circle.yaml", "x: &a [*a]", "nested too deeply"),
        ("bomb.yaml", "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
            f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
        ), "more than 100000 values"),
        ("latin.json", "\udcff", "cannot be read"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_trusted_to_be_read_alike_is_refused(
    name: str, text: str, says: str, tmp_path: Path
) -> None:
    folder = make(tmp_path / "bundle", "{}")
    (folder / "configs" / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    found = static_findings(folder)
    assert [finding.file for finding in found] == [f"configs/{name}"]
    assert re.search(says, found[0].reason), found


def test_yaml_is_judged_like_json(tmp_path: Path) -> None:
    folder = make(tmp_path / "bundle", "x:\n  _target_: os.system\ny: $open(1)\n1: a\n", name="evil.yaml")
    assert {finding.key for finding in static_findings(folder)} == {"x::_target_", "y"}


@pytest.mark.parametrize("key", ["weights::_target_", "weights#_target_", "+weights"])
def test_metadata_makes_no_component_by_a_path(key: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "bundle", {"run": ["@_meta_::weights"]})
    value: object = "os.system" if key[0] != "+" else {"_target_": "os.system"}
    content = {"weights": {}, key: value, "weights::command": f"touch {tmp_path / 'canary'}"}
    (folder / "configs" / "metadata.json").write_text(json.dumps(content))
    found = static_findings(folder)
    assert any("plain data" in finding.reason for finding in found), found
    run_workflow(folder, ["evil"], {}, trusted=True)  # it would have run
    assert (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    "value", ["$open(1)", "@a", "%a", {"_target_": "Compose"}, {"a": [{"_mode_": "debug"}]}], ids=str
)
def test_metadata_holds_nothing_to_evaluate(value: object, tmp_path: Path) -> None:
    folder = make(tmp_path / "bundle", "{}")
    (folder / "configs" / "metadata.json").write_text(json.dumps({"free text, 95%": "ok", "changelog": value}))
    found = static_findings(folder)
    assert found
    assert all(finding.file == "configs/metadata.json" and "plain data" in finding.reason for finding in found)


@pytest.mark.parametrize("path", ["torch.py", "a.pyw", "scripts/__init__.py", "mlflow/x.so", "models/a.PTH"])
def test_code_in_a_bundle_is_refused(path: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "bundle", "{}")
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_text("")
    assert [finding.file for finding in static_findings(folder)] == [path]


def test_a_bundle_cannot_pass_for_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run from its own folder, Python would find the bundle's entry points."""
    folder = make(tmp_path / "bundle", target("os.system", command="true"))
    (folder / "evil-1.dist-info").mkdir()
    (folder / "evil-1.dist-info" / "entry_points.txt").write_text("[prostate_alm.components]\na = os:system\n")
    monkeypatch.syspath_prepend(folder)
    site_components.cache_clear()
    try:
        assert "os.system" in site_components()
        assert [finding.file for finding in static_findings(folder)] == ["evil-1.dist-info"]
    finally:
        site_components.cache_clear()


@pytest.mark.parametrize("name", ["configs/notes.txt", "notes", "models"])
def test_a_link_out_of_the_bundle_is_refused(name: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "bundle", "{}")
    (tmp_path / "outside").mkdir()
    (folder / name).symlink_to(tmp_path / "outside")
    assert [finding.file for finding in static_findings(folder)] == [name]


def test_a_file_that_another_encoding_reads_otherwise_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In GBK the letter swallows the backslash, the quote ends the text, and MONAI would see another key."""
    text = '{"a": "\u4f60\\", \\"_target_\\": \\"os.system"}'
    folder = make(tmp_path / "bundle", "{}")
    (folder / "configs" / "evil.json").write_text(text, encoding="utf-8")
    assert static_findings(folder) == []
    monkeypatch.setattr("prostate_alm.bundle.reading.getpreferredencoding", lambda _: "gbk")
    assert [(finding.file, "encoding" in finding.reason) for finding in static_findings(folder)] == [
        ("configs/evil.json", True)
    ]


def test_a_folder_without_configs_is_no_safe_bundle(tmp_path: Path) -> None:
    assert static_findings(tmp_path) == [Finding("configs", "the folder", "holds no config")]


# what is allowed


@pytest.mark.parametrize("name", BUNDLES)
def test_the_bundles_pass(name: str) -> None:
    assert static_findings(find_bundle(name)) == []


@pytest.mark.parametrize("name", BASE_LOSSES)
def test_every_base_loss_may_stand_in_a_bundle(name: str, tmp_path: Path) -> None:
    assert static_findings(make(tmp_path / "bundle", {"base_loss": BASE_LOSSES[name]})) == []


@pytest.mark.parametrize(
    "text",
    [
        "$[case['label'] for case in @split['training'] if case['label']]",
        "$lambda output: {name: value.detach().to('cpu') for name, value in output.items()}",
        '$f"{@member:02d}"',
        "$@network.load_state_dict(torch.load(@checkpoint, map_location='cpu', weights_only=True))",
        "$sorted(@cases, key=lambda case: case['case_id'])[:3]",
        "$np.float32 if @half else numpy.float64",
        "$'a' if not @b else max(1, @c // 2) / -@d % 3",
        "$import numpy as np",
        "$from monai.handlers import from_engine",
        "$from_engine(['pred'])",
        "$'sqlite:///' + @output_dir",
        "$[@#0, '%s' % @a]",
        "$@#1",
        "a plain text with $, @ and %",
    ],
)
def test_ordinary_expressions_pass(text: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "bundle", {"list": [text, 1], "imports": ["$from monai.handlers import from_engine"]})
    assert static_findings(folder) == []


def test_an_interactive_session_s_last_result_hides_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins._", 1, raising=False)  # as Python's prompt, a notebook and doctest leave it
    assert not static_findings(make(tmp_path / "bundle", {"x": "$[a for a, _ in [(1, 2)]]"}))


def test_an_installed_package_of_the_site_adds_components(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(tmp_path / "bundle", target("site_nets.parts.LesionNet"))
    with pytest.raises(IntegrityError, match="LesionNet"):
        check_static(folder)
    entry = metadata.EntryPoint("lesionnet", "site_nets.parts:LesionNet", "prostate_alm.components")
    monkeypatch.setattr("prostate_alm.bundle.allowed.entry_points", lambda **_: [entry])
    site_components.cache_clear()
    try:
        check_static(folder)
    finally:
        site_components.cache_clear()
    assert "site_nets" not in sys.modules


def test_a_misspelt_component_is_a_model_error_that_says_which(tmp_path: Path) -> None:
    folder = make(tmp_path / "bundle", target("prostate_alm.networks.DualPathCN"))
    with pytest.raises(ModelError, match=r"x::_target_: .* did you mean prostate_alm\.networks\.DualPathCNN\?$"):
        check_static(folder)


# where it stands


@pytest.fixture
def spoilt(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A trained bundle with an expression in its inference that leaves a file; its hashes are right."""
    trained = tiny.shared_run(tmp_path_factory.getbasetemp())
    folder = shutil.copytree(trained.folder / "bundle", tmp_path / "spoilt")
    path = folder / "configs" / "inference.json"
    content = json.loads(path.read_text())
    content["network_def"]["members"] = f"$int({WRITE.format(canary=tmp_path / 'canary')}) + 1"
    path.write_text(json.dumps(content))
    write_hashes(folder)
    return folder


def test_a_predictor_is_loaded_of_a_safe_bundle_alone(spoilt: Path, tmp_path: Path) -> None:
    with pytest.raises(
        IntegrityError, match=r"not safe to run: configs/inference\.json: network_def::members: .*import"
    ):
        Predictor.load(spoilt)
    assert not (tmp_path / "canary").exists()
    Predictor.load(spoilt, trusted=True)
    assert (tmp_path / "canary").exists()


def test_a_workflow_runs_of_a_safe_bundle_alone(tmp_path: Path) -> None:
    folder = make(tmp_path / "bundle", {"run": f"${WRITE}"})
    with pytest.raises(IntegrityError, match=r"configs/evil\.json: run: .*__import__"):
        run_workflow(folder, ["evil"], {})
    assert not (tmp_path / "canary").exists()
    run_workflow(folder, ["evil"], {}, trusted=True)
    assert (tmp_path / "canary").exists()


def test_the_tool_prints_a_line_for_each_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make(tmp_path / "bundle", {"x": "$open(1)", "y": "\n$", "z": f"${WRITE}"})

    def call(*bundles: Path) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["check_bundle.py", *map(str, bundles)])
        with pytest.raises(SystemExit) as ending:
            runpy.run_path(str(TOOL), run_name="__main__")
        return int(ending.value.code or 0), capsys.readouterr().out.splitlines()

    assert call(*map(find_bundle, BUNDLES)) == (0, [])
    code, lines = call(find_bundle(BUNDLES[0]), folder)
    assert code == 8
    assert [line.split(": ")[:3] for line in lines] == [["bundle", "configs/evil.json", key] for key in ("x", "z")]
    assert not (tmp_path / "canary").exists()


def test_the_check_is_quick() -> None:
    """Done before every triage and every stage, in about 20 ms; a second would be felt."""
    started = time.process_time()
    static_findings(find_bundle(BUNDLES[0]))
    assert time.process_time() - started < 1.0
