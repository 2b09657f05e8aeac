"""Configs that try to run code, one for each way out; none may ever be evaluated."""

import json
from pathlib import Path
from typing import Any

WRITE = "__import__('pathlib').Path('{canary}').write_text('x')"
"""Python that leaves a file, if it is ever evaluated."""


def make(folder: Path, content: Any, name: str = "evil.json", **files: str) -> Path:
    """A bundle with one config, and further files by their path with `/` written as `__`."""
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "metadata.json").write_text("{}")
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "configs" / name).write_text(text.replace("{canary}", str(folder.parent / "canary")))
    for path, text in files.items():
        (folder / path.replace("__", "/")).write_text(text)
    return folder


def target(name: object, **arguments: object) -> dict[str, Any]:
    return {"x": {"_target_": name, **arguments}}


# each: a config, the key that is named, what the reason says
EVIL: dict[str, tuple[Any, str, str]] = {
    # expressions
    "dunder import": ({"x": f"${WRITE}"}, "x", "__import__"),
    "builtin eval": ({"x": "$eval('1')"}, "x", "uses eval"),
    "builtin exec": ({"x": '$exec("1")'}, "x", "uses exec"),
    "builtin open": ({"x": "$open('{canary}', 'w')"}, "x", "uses open"),
    "builtin compile": ({"x": "$compile('1', '', 'eval')"}, "x", "uses compile"),
    "getattr chain": ({"x": "$getattr(getattr(torch, 'os'), 'system')('touch {canary}')"}, "x", "calls something"),
    "vars": ({"x": "$vars(torch)['os']"}, "x", "uses vars"),
    "globals": ({"x": "$globals()"}, "x", "uses globals"),
    "class of a tuple": ({"x": "$().__class__.__bases__[0].__subclasses__()"}, "x", "__subclasses__"),
    "class of a reference": ({"a": 1, "x": "$@a.__class__"}, "x", "__class__"),
    "function globals": ({"x": "$(lambda: 1).__globals__"}, "x", "__globals__"),
    "module in a module": ({"x": "$torch.os.system('touch {canary}')"}, "x", "torch.os.system"),
    "monai's modules": ({"x": "$monai.utils.module.locate('os.system')"}, "x", "monai.utils.module.locate"),
    "a bare module": ({"x": "$[torch][0]"}, "x", "uses torch"),
    "a module through a reference": (
        {"imports": ["$import torch"], "x": "$@imports::0.hub.load('a', 'b')"},
        "x",
        "hub|load",
    ),
    "torch.load": ({"x": "$torch.load('m.pt')"}, "x", "weights_only=True"),
    "torch.load with pickle": ({"x": "$torch.load('m.pt', weights_only=False)"}, "x", "weights_only"),
    "torch.load as a value": ({"x": "$(torch.load, 1)"}, "x", "weights_only=True"),
    "torch.load with a pickle module": (
        {"x": "$torch.load('m', None, torch, weights_only=True)"},
        "x",
        "weights_only=True",
    ),
    "torch.hub": ({"x": "$torch.hub.load('a/b', 'c')"}, "x", "torch.hub.load"),
    "numpy pickle": ({"x": "$np.load('a.npy', allow_pickle=True)"}, "x", "allow_pickle|numpy.load"),
    "numpy's modules": ({"x": "$numpy.f2py.subprocess.run('true')"}, "x", "numpy.f2py"),
    "str.format": ({"x": "$'{0.__class__}'.format(1)"}, "x", "'format'"),
    "format_map": ({"x": "$'{a.__class__}'.format_map({'a': 1})"}, "x", "'format_map'"),
    "f-string": ({"x": "$f'{open(1)}'"}, "x", "uses open"),
    "lambda body": ({"x": "$lambda batch: exec('1')"}, "x", "uses exec"),
    "lambda default": ({"x": "$lambda batch=exec('1'): batch"}, "x", "uses exec"),
    "lambda parameter hides a name": ({"x": "$(lambda torch: torch.cases)(1)"}, "x", "another meaning|calls something"),
    "comprehension": ({"x": "$[open(i) for i in range(3)]"}, "x", "uses open"),
    "loop variable hides a builtin": ({"x": "$[len(1) for len in [exec]]"}, "x", "another meaning"),
    "walrus": ({"x": "$[y := exec, y('1')]"}, "x", "NamedExpr"),
    "call of a reference": ({"f": 1, "x": "$@f('os.system')"}, "x", "calls something"),
    "call of a subscript": ({"x": "$[exec][0]('1')"}, "x", "calls something|uses exec"),
    "double star": ({"x": "$dict(**{'reader': 'os.system'})"}, "x", r"\*\*"),
    "hidden in a reference's brackets": ({"x": "$@a[exec('1')]", "a": [1]}, "x", "uses exec"),
    "text that a reference breaks open": ({"in": 1, "x": "$'@in'"}, "x", "inside a text"),
    "text that it breaks open at another place": (
        {
            "f": 1,
            "x": {"copy": "%k::0::0"},
            "k": [],
            "+k": [
                [
                    f"$'@::::f{{{WRITE}}}'".replace("'{canary}'", '"{canary}"')
                    .replace("'pathlib'", '"pathlib"')
                    .replace("'x'", '"x"')
                ]
            ],
        },
        "+k::0::0",
        "no Python",
    ),
    "text with a reference": ({"a": 1, "x": '$"@a"'}, "x", "inside a text"),
    "relative macro in an expression": ({"x": "$[1][0 %#x]"}, "x", "relative macro"),
    "a loop that changes an attribute": ({"a": 1, "x": "$[0 for @a.run in [1]]"}, "x", "changes a value"),
    "a loop that changes an item": ({"a": [1], "x": "$[0 for @a[0] in [1]]"}, "x", "changes a value"),
    "wide letters": ({"x": "$\uff45\uff58\uff45\uff43('1')"}, "x", "uses exec"),
    "wide letters in an attribute": ({"x": "$().__\uff43lass__"}, "x", "__class__"),
    "no Python": ({"x": "$import os; 1 +"}, "x", "no Python|imports"),
    "null byte": ({"x": "$1\0"}, "x", "no Python"),
    "too deep": ({"x": "$" + "(" * 3000 + "1" + ")" * 3000}, "x", "no Python|deep"),
    "power without end": ({"x": "$9 ** 9 ** 9"}, "x", "Pow"),
    # imports
    "import os": ({"imports": ["$import os"]}, "imports::0", "imports os"),
    "import subprocess as np": ({"x": "$import subprocess as np"}, "x", "imports subprocess"),
    "from os": ({"x": "$from os import system"}, "x", "os.system"),
    "from torch import hub": ({"x": "$from torch import hub"}, "x", "torch.hub"),
    "torch.load by its own name": ({"x": "$from torch import load"}, "x", "torch.load"),
    "relative import": ({"x": "$from . import torch"}, "x", "not on the allow-list"),
    "import of a submodule": ({"x": "$import monai.bundle"}, "x", "monai.bundle"),
    "two imports": ({"x": "$import torch, os"}, "x", "more than one"),
    "import and more": ({"x": "$import torch\nimport os"}, "x", "more than one"),
    "another meaning": ({"x": "$import torch as numpy"}, "x", "another meaning"),
    "two meanings": ({"x": "$import torch as t", "y": "$import numpy as t"}, "y", "another meaning"),
    "a builtin's name": ({"x": "$import torch as len"}, "x", "another meaning"),
    # components
    "os.system": (target("os.system", command="touch {canary}"), "x::_target_", "os.system"),
    "subprocess.run": (target("subprocess.run", args=["touch", "{canary}"]), "x::_target_", "subprocess.run"),
    "builtins.eval": (target("builtins.eval"), "x::_target_", "builtins.eval"),
    "Path.write_text": (target("pathlib.Path.write_text", self="{canary}"), "x::_target_", "write_text"),
    "torch.load as a target": (target("torch.load", f="m.pt"), "x::_target_", "torch.load"),
    "torch.hub as a target": (target("torch.hub.load"), "x::_target_", "torch.hub.load"),
    "numpy.load as a target": (target("numpy.load", allow_pickle=True), "x::_target_", "numpy.load"),
    "monai.bundle.run": (target("monai.bundle.run"), "x::_target_", "monai.bundle.run"),
    "run by its short name": (target("run"), "x::_target_", "'run'"),
    "instantiate by its short name": (target("instantiate"), "x::_target_", "'instantiate'"),
    "monai's locate": (target("monai.utils.module.locate"), "x::_target_", "monai.utils.module.locate"),
    "monai's os": (target("monai.utils.module.os.system"), "x::_target_", "os.system"),
    "download_url": (target("monai.apps.download_url"), "x::_target_", "download_url"),
    "the package's own modules": (target("prostate_alm.files.write_text"), "x::_target_", "write_text"),
    "modules of the package's": (target("prostate_alm.training.engine.os.system"), "x::_target_", "os.system"),
    "wide target": (target("\uff4fs.system"), "x::_target_", "not on the allow-list"),
    "target with a space": (target("Compose "), "x::_target_", "not on the allow-list"),
    "target from an expression": (target("$torch.load"), "x::_target_", "not on the allow-list"),
    "target from a reference": ({"a": "os.system", **target("@a")}, "x::_target_", "not on the allow-list"),
    "target from a macro": ({"a": "os.system", **target("%a")}, "x::_target_", "not on the allow-list"),
    "target that is no text": (target(["os.system"]), "x::_target_", "must be the name"),
    "target by a path": (
        {"x": {"_target_": "Compose"}, "x::_target_": "os.system"},
        "x::_target_",
        "exchanges|os.system",
    ),
    "target by the old path": ({"x#_target_": "os.system"}, "x#_target_", "exchanges|os.system"),
    "target by merging": ({"+x": {"_target_": "Compose"}}, "+x", "exchanges"),
    "target in a list": ({"x": [[{"_target_": "os.system"}]]}, "x::0::0::_target_", "os.system"),
    "disabled target": (target("os.system", _disabled_=True), "x::_target_", "os.system"),
    "debug mode": (target("Compose", _mode_="debug"), "x::_mode_", "'debug'"),
    "mode from a reference": ({"a": "debug", **target("Compose", _mode_="@a")}, "x::_mode_", "'@a'"),
    "mode by a path": ({"x::_mode_": "callable"}, "x::_mode_", "exchanges"),
    "a partial of anything": (target("LoadImaged", _mode_="callable", args=["x"]), "x::_target_", "callables"),
    "breakpoint": (target("Compose", _debug_=True), "x::_debug_", "_debug_"),
    "unknown special key": (target("Compose", _args_=[1]), "x::_args_", "_args_"),
    "requires": (target("Compose", _requires_=[f"${WRITE}"]), "x::_requires_::0", "__import__"),
    "disabled": (target("Compose", _disabled_=f"${WRITE}"), "x::_disabled_", "__import__"),
    "description": (target("Compose", _desc_=f"${WRITE}"), "x::_desc_", "__import__"),
    "reader": (
        target("LoadImaged", keys="a", reader="subprocess.Popen", args=["touch", "{canary}"]),
        "x::reader",
        "reader",
    ),
    "reader from a reference": ({"a": "os.system", **target("LoadImaged", reader="@a")}, "x::reader", "reader"),
    "one of several readers": (target("LoadImaged", reader=["ITKReader", "os.x"]), "x::reader", "reader"),
    "reader by its place": (
        {
            **target("LoadImaged", keys="a", reader=["ITKReader"], args=["touch", "{canary}"]),
            "x::reader::0_0": "subprocess.Popen",
        },
        "x::reader::0_0",
        "reader",
    ),
    "numpy's reader": (target("LoadImaged", reader="NumpyReader", allow_pickle=True), "x::reader", "NumpyReader"),
    "reader in a call": ({"x": "$dict(reader='os.system')"}, "x", "reader"),
    "pickle from a component": (target("Dataset", weights_only=False), "x::weights_only", "weights_only"),
    "a file to write": (target("ClassificationSaver", filename="authorized_keys"), "x::filename", "plain name"),
    "a file elsewhere": (target("ClassificationSaver", filename="../../a.csv"), "x::filename", "plain name"),
    "a file by a reference": (
        {"a": "b.sh", **target("CheckpointSaver", final_filename="@a")},
        "x::final_filename",
        "plain",
    ),
    "a file of settings": (target("ClassificationSaver", filename="package.json"), "x::filename", "plain name"),
    "a compiler": (target("SupervisedEvaluator", compile=True), "x::compile", "compile"),
    "a compiler's path": (
        target("SupervisedEvaluator", compile_kwargs={"options": "${'cpp.cxx': (None, '{canary}')}"}),
        "x::compile_kwargs",
        "compile_kwargs",
    ),
    "files to send": (target("MLFlowHandler", artifacts=["/data"]), "x::artifacts", "send files"),
    "where to send": (target("MLFlowHandler", tracking_uri="$'https:' + '//a.b'"), "x::tracking_uri", "begin with"),
    "where to send by a choice": (
        {"mlflow_uri": "$'sqlite:///' if False else 'https:' + '//a.b'"},
        "mlflow_uri",
        "begin with",
    ),
    "where to send by a reference": (
        {"a": "databricks", **target("MLFlowHandler", tracking_uri="@a")},
        "x::tracking_uri",
        "begin with",
    ),
    "Lambda": (target("Lambdad", func="$len"), "x::_target_", "not on the allow-list"),
    # macros, keys, values
    "macro of another file": ({"x": "%../../x.json"}, "x", "reads no other file"),
    "macro of a file anywhere": ({"x": "%/etc/evil.yaml::a"}, "x", "reads no other file"),
    "macro out of the config": ({"x": "%######x"}, "x", "leads out"),
    "reference out of the config": ({"x": "$@######x"}, "x", "leads out"),
    "expression in a key": ({"a'] + exec('1') + ['": {"x": "$@##b"}}, "a'] + exec('1') + ['", "a key holds"),
    "dots in a key": ({"a.system": 1}, "a.system", "a key holds"),
    "wide key": ({"\uff41": 1}, "\uff41", "a key holds"),
    "address": ({"uri": "https://example.org/log"}, "uri", "https://example.org"),
    "address in an expression": ({"uri": "$'http' + 's://example.org'"}, "uri", "s://example.org"),
}
