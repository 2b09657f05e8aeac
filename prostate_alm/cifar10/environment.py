"""What a training's numbers depend on beside its settings: images, code, configs, libraries and precision."""

import ast
import hashlib
import platform
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from prostate_alm.files import sha256
from prostate_alm.training import ARMS, quickest_precision

DECIDING = (
    "alm.py", "networks.py", "losses", "bundle/weights.py", "bundle/workflow.py",
    "training/batches.py", "training/checkpoint.py", "training/data.py", "training/handlers.py",
    "training/inferer.py", "training/sampling.py", "training/stages.py",
    "cifar10/counter.py", "cifar10/data.py", "cifar10/dataset.py", "cifar10/predict.py", "cifar10/protocol.py",
    "cifar10/tensors.py", "cifar10/trainings.py", "cifar10/unpickle.py",
)  # fmt: skip
"""The modules that determine the numbers of a training, below the package's folder."""

LIBRARIES = ("torch", "monai", "pytorch-ignite", "numpy")


def environment(digest: str, bundle: Path) -> dict[str, Any]:
    """The environment's part of a content key.

    Args:
        digest: `Cifar10.digest` of the images.
        bundle: folder of the bundle.
    """
    return {
        "data": digest,
        "code": code_hash(),
        "configs": {name: sha256(bundle / "configs" / f"{name}.json") for name in sorted(set().union(*ARMS.values()))},
        "libraries": {name: version(name) for name in LIBRARIES},
        "precision": quickest_precision(device()),
    }


def device() -> str:
    """Where trainings run here: the first GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def machine() -> str:
    """The processor in words, for the record.

    Example:
        >>> "cores" in machine()
        True
    """
    able = torch.cpu.get_capabilities()
    name = able.get("cpu_name") or platform.processor() or platform.machine()
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{name} ({able.get('architecture', platform.machine())}), {able.get('num_physical_cores', '?')} cores{gpu}"


@lru_cache
def code_hash() -> str:
    """SHA-256 of the deciding modules' code, without comments and docstrings: words may change, numbers stay."""
    package = Path(__file__).resolve().parents[1]
    sha = hashlib.sha256()
    for name in DECIDING:
        place = package / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            sha.update(path.relative_to(package).as_posix().encode())
            sha.update(bare_code(path.read_text(encoding="utf-8")).encode())
    return sha.hexdigest()


def bare_code(source: str) -> str:
    """Python source without comments, docstrings and layout.

    Example:
        >>> bare_code('def f():\\n    "Words."\\n    return  1  # one')
        'def f():\\n    pass\\n    return 1'
    """
    return ast.unparse(_WithoutWords().visit(ast.parse(source)))


class _WithoutWords(ast.NodeTransformer):
    """Drops every statement that is a constant alone: docstrings, and strings below a name."""

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        return ast.Pass() if isinstance(node.value, ast.Constant) else node
