"""From an error of MONAI's to the key and the file: origins, references, signatures; a bug stays a bug."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from monai.bundle import ConfigParser

from prostate_alm.bundle import find_bundle, near, problems_of, run_workflow, write_hashes
from prostate_alm.bundle.components import arguments, located, plain_value, wrong_argument, wrong_type
from prostate_alm.bundle.graph import all_values, broken_macro, broken_reference
from prostate_alm.bundle.mistakes import network_key
from prostate_alm.bundle.origins import CALL, Origins
from prostate_alm.bundle.reading import BadConfigError, read_config
from prostate_alm.errors import ModelError, NoInputError, UsageError
from prostate_alm.training import ARMS


def write(folder: Path, **configs: Any) -> Path:
    """A bundle with these configs."""
    (folder / "configs").mkdir(parents=True, exist_ok=True)
    for name, content in {"metadata": {}, **configs}.items():
        (folder / "configs" / f"{name}.json").write_text(json.dumps(content))
    return folder


# where a value came from


@pytest.fixture
def origins(tmp_path: Path) -> Origins:
    base = {"a": 1, "b": {"c": 2, "d": {"e": 3}}, "list": [{"x": 1}], "n": 1}
    overlay = {"a": 2, "b::d": {"f": 4}, "+list": [{"y": 1}, {"z": 1}], "+b": {"g": 5}}
    folder = write(tmp_path / "bundle", base=base, overlay=overlay)
    return Origins(folder, ["base.json", "overlay.json"], {"b#c": 7, "n": 2})


@pytest.mark.parametrize(
    ("key", "file"),
    [
        ("a", "overlay"), ("b::d", "overlay"), ("b::d::f", "overlay"), ("b::g", "overlay"), ("list::0::x", "base"),
        ("list::1", "overlay"), ("list::1::y", "overlay"), ("list::2::z", "overlay"), ("b::c", None), ("n", None),
        ("list::0::missing", "base"), ("list::2::missing", "overlay"), ("nowhere", "overlay"),
    ],
)  # fmt: skip
def test_the_last_file_that_set_a_value_is_named(key: str, file: str | None, origins: Origins) -> None:
    assert origins.file_of(key) == (CALL if file is None else f"configs/{file}.json")
    assert origins.place(key) == (
        f"key {key} of the call" if file is None else f"key {key} in configs/{file}.json of bundle bundle"
    )


def test_origins_agree_with_monai_s_merge(origins: Origins, tmp_path: Path) -> None:
    """What MONAI merged stands, value by value, in the file that is named for it."""
    names = ["base", "overlay"]
    files = {f"configs/{name}.json": tmp_path / "bundle" / "configs" / f"{name}.json" for name in names}
    merged = ConfigParser.load_config_files([str(path) for path in files.values()])
    found = all_values(merged)
    plain = {key: value for key, value in found.items() if not isinstance(value, dict | list)}
    assert len(plain) == 8
    for key, value in plain.items():
        told = Origins(tmp_path / "bundle", ["base.json", "overlay.json"], {}).file_of(key)
        assert value in all_values(read_config(files[told])).values(), key


# references


@pytest.mark.parametrize(
    ("config", "key", "says"),
    [
        ({"run": ["$@a.run()"]}, "run::0", "@a, which is not there"),
        ({"run": "@a", "a": {"_target_": "x", "y": [1, {"z": "@b"}]}}, "a::y::1::z", "@b"),
        ({"run": "$@a + 1", "a": "$@b * 2", "b": {"c": 1}, "d": "@b::e"}, None, ""),
        ({"run": "$@a::b", "a": {"bb": 1}}, "run", "did you mean @a::bb?"),
        ({"run": "@a", "a": "@run"}, "run", "in a circle: run -> a -> run"),
        ({"run": "@a", "a": {"_target_": "x", "b": {"_target_": "y", "c": "@a"}}}, "a", "circle: a -> a::b -> a"),
        ({"run": "@a", "a": "an address like b@c.d"}, None, ""),
        ({"else": "@a"}, None, ""),
    ],
    ids=str,
)
def test_a_reference_that_leads_nowhere_is_found(config: Mapping[str, Any], key: str | None, says: str) -> None:
    found = broken_reference(all_values(config), ["initialize", "run"])
    if key is None:
        assert found is None
        return
    assert found is not None
    assert (found.key, says in found.reason) == (key, True), found


def test_a_macro_of_nothing_is_found() -> None:
    assert broken_macro(all_values({"a": "%b", "b": 1, "c": "100%"})) is None
    found = broken_macro(all_values({"a": ["%bb"], "b": 1, "bbb": 2}))
    assert found is not None
    assert (found.key, found.reason) == ("a::0", "copies %bb, which is not there; did you mean bbb?")


def test_only_a_near_name_is_offered() -> None:
    assert near("learning_rat", ["learning_rate", "patience"]) == "; did you mean learning_rate?"
    assert near("probability", ["prob", "keys"]) == "; did you mean prob?"
    assert near("xyz", ["learning_rate"]) == near("x", []) == ""


# signatures


class Part:
    def __init__(self, size: int, rate: float = 0.1, shape: Sequence[int] = (), name: str | None = None) -> None:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"size": 1, "rate": 1, "shape": [1, 2], "name": "x"}, None),
        ({"size": "@n", "rate": "$1 / 0", "shape": "@shape", "name": None}, None),
        ({"size": None, "shape": {"_target_": "x"}, "unknown": "x"}, None),
        ({"size": "1"}, "size"),
        ({"size": 1.5}, "size"),
        ({"size": True}, "size"),
        ({"size": "@text"}, "size"),
        ({"rate": "fast"}, "rate"),
        ({"shape": "12"}, "shape"),
        ({"shape": 12}, "shape"),
        ({"shape": [1, "2"]}, "shape"),
        ({"name": 3}, "name"),
    ],
    ids=str,
)
def test_a_plain_value_of_another_type_is_found(given: Mapping[str, Any], name: str | None) -> None:
    found = wrong_type(Part, given, {"n": 3, "text": "three", "shape": [1, "$2"]})
    assert (found and found[0]) == name


def test_an_argument_that_is_not_there_or_missing_is_found() -> None:
    assert wrong_argument(Part, ["size", "rate"]) is None
    assert wrong_argument(Part, ["size", "rates"]) == ("rates", "has no argument 'rates'; did you mean rate?")
    assert wrong_argument(Part, ["rate"]) == (None, "needs the argument 'size'")
    assert wrong_argument(lambda **anything: anything, ["whatever"]) is None
    assert wrong_argument(3, ["whatever"]) is None


BUNDLES = [
    *(("prostate_dce_classification", names) for names in ARMS.values()),
    ("prostate_dce_classification", ("inference",)),
    ("prostate_dce_classification", ("train", "evaluate")),
    *(("cifar10_alm_classification", names) for names in ARMS.values()),
]


@pytest.mark.parametrize(("bundle", "names"), BUNDLES)
def test_nothing_is_found_in_a_sound_bundle(bundle: str, names: Sequence[str]) -> None:
    folder = find_bundle(bundle) / "configs"
    config = ConfigParser.load_config_files([str(folder / f"{name}.json") for name in names])
    parser = ConfigParser(config=config | {"_meta_": {"weights": ""}})
    values = all_values(config) | {"_meta_": {}, "_meta_::weights": ""}
    assert broken_macro(values) is None
    assert broken_reference(values, ["initialize", "run", "finalize"]) is None
    components = {key: value for key, value in values.items() if isinstance(value, dict) and "_target_" in value}
    assert len(components) > 10
    for key, component in components.items():
        made = located(component, parser.locator)
        assert made is not None, key
        called = component.get("_mode_") != "callable"
        assert wrong_type(made, arguments(component), values) is None, key
        assert not called or wrong_argument(made, arguments(component)) is None, key
    assert network_key(values)[0] == "member_def"


def test_references_are_followed_to_the_value_and_never_in_a_circle() -> None:
    assert plain_value("@a", {"a": "@b", "b": "@c", "c": 5}) == ("c", 5)
    assert plain_value(4, {}) == (None, 4)
    assert plain_value("@a", {"a": "@b", "b": "@a"})[1] in ("@a", "@b")


# what the workflow raises


def boom(kind: str) -> None:
    raise {"bug": ZeroDivisionError("1 / 0"), "memory": MemoryError("no more"), "user": NoInputError("no such file")}[
        kind
    ]


def run(folder: Path, config: Mapping[str, Any], **overrides: Any) -> None:
    run_workflow(write(folder, train=config), ["train"], overrides, trusted=True)


@pytest.mark.parametrize(("kind", "raised"), [("bug", RuntimeError), ("memory", RuntimeError), ("user", NoInputError)])
def test_a_bug_stays_a_bug_and_a_user_s_error_what_it_was(
    kind: str, raised: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prostate_alm.bundle.find.boom", boom, raising=False)
    config = {"imports": ["$from prostate_alm.bundle.find import boom"], "run": f"$boom('{kind}')"}
    with pytest.raises(raised) as caught:
        run(tmp_path / "bundle", config)
    assert isinstance(caught.value, NoInputError) == (kind == "user")


def test_a_class_that_is_not_there_is_named_in_a_trusted_bundle(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"key a::_target_ in configs/train\.json .*there is no .*ALMLos; did you mean"
    ):
        run(tmp_path / "bundle", {"a": {"_target_": "prostate_alm.losses.ALMLos"}, "run": "@a"})


def test_what_the_package_says_of_a_path_names_its_key(tmp_path: Path) -> None:
    loader = {
        "_target_": "prostate_alm.bundle.load_weights",
        "network": {"_target_": "torch.nn.Identity"},
        "path": "@at",
    }
    with pytest.raises(ModelError, match=r"weights /no\.pt are missing.*\(key at in configs/train\.json"):
        run(tmp_path / "bundle", {"net": loader, "at": "/no.pt", "run": "@net"})
    with pytest.raises(ModelError, match=r"weights /none\.pt are missing.*\(key at of the call\)"):
        run(tmp_path / "bundle", {"net": loader, "at": "/no.pt", "run": "@net"}, at="/none.pt")


@pytest.mark.parametrize("name", ["absent.json", "list.json", "text.json"])
def test_a_config_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "bundle", list=[1])
    (folder / "configs" / "text.json").write_text('{"a": 1,}')
    with pytest.raises(BadConfigError, match=rf"^configs/{name}"):
        read_config(folder / "configs" / name)


# everything at once, for a person


def test_problems_of_a_bundle_are_lines(tmp_path: Path) -> None:
    folder = write(tmp_path / "bundle", train={"x": "$open(1)"})
    write_hashes(folder)
    asked = {
        "monai_version": "0.1", "pytorch_version": "2.13.0", "numpy_version": 7,
        "required_packages_version": {"nibabel": "0.0", "no-such-package": "1.0"},
    }  # fmt: skip
    write(folder, metadata=asked)
    found = problems_of(folder)
    for text in (
        "configs/metadata.json differs from its recorded hash",
        "not safe to run: configs/train.json: x: uses open",
        "was made with monai 0.1 (monai_version in configs/metadata.json); ",
        "was made with numpy 7 (numpy_version in configs/metadata.json); ",
        "was made with nibabel 0.0 (required_packages_version::nibabel in configs/metadata.json); ",
        "no-such-package 1.0 (required_packages_version::no-such-package in configs/metadata.json); it is not inst",
    ):
        assert sum(text in line for line in found) == 1, (text, found)
    assert not any("torch 2.13.0" in line for line in found)
    assert len(found) == 6


def test_a_folder_that_is_no_bundle_has_problems_and_raises_nothing(tmp_path: Path) -> None:
    assert any("hashes.json" in line for line in problems_of(tmp_path))
    assert any("metadata.json is missing" in line for line in problems_of(tmp_path))


@pytest.mark.parametrize("name", ["prostate_dce_classification", "cifar10_alm_classification"])
def test_the_shipped_bundles_have_no_unsafe_line(name: str) -> None:
    assert not any("not safe" in line or "metadata" in line for line in problems_of(find_bundle(name)))
