"""Results on disk: one compressed file for each arm of an ensemble, or each member, written whole."""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostate_alm.cifar10.protocol import thin
from prostate_alm.errors import NoInputError
from prostate_alm.files import output_folder, whole_file
from prostate_alm.metrics import auc

ARMS = ("base", "continued", "alm", "aucm")
_ARRAYS = ("test_logits", "test_labels", "test_case_ids")


@dataclass(frozen=True, eq=False)
class ArmResult:
    """The logits of one arm on the balanced test set, from which every figure of every table follows.

    Args:
        class_ratio: of the training, as in `"1:9"`.
        loss: as the paper names it, `BCE`, `S-ML`, ...
        arm: base, continued, alm or aucm.
        test_logits: float32 (N,), of one member or the mean over members.
        test_labels: int64 (N,), {0, 1}.
        test_case_ids: int64 (N,), unique.
        classes: class numbers (negative, positive).
        seed: of the run; draws the test positives.
        member: 0, 1, ..., or None for the ensemble.
        member_aucs: each member's AUC on the protocol's thinned test set, in [0, 1].
        details: whatever else must be reported and JSON can hold: settings, the penalty reached, seconds.

    Raises:
        ValueError: if the arm is unknown, the lengths differ, or a case id stands twice.
    """

    class_ratio: str
    loss: str
    arm: str
    test_logits: NDArray[np.float32]
    test_labels: NDArray[np.int64]
    test_case_ids: NDArray[np.int64]
    classes: tuple[int, int] = (0, 1)
    seed: int = 0
    member: int | None = None
    member_aucs: tuple[float, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.arm not in ARMS:
            raise ValueError(f"arm {self.arm!r} is unknown; use one of {', '.join(ARMS)}")
        shapes = {getattr(self, name).shape for name in _ARRAYS}
        if shapes != {(len(self.test_logits),)}:
            raise ValueError(f"logits, labels and case ids must have one length (N,), got {sorted(shapes)}")
        if len(np.unique(self.test_case_ids)) != len(self.test_case_ids):
            raise ValueError("a test case id stands twice")

    def thinned(self, draw: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Logits and labels of all test negatives and one draw of the positives; draw 0 is the protocol's test set."""
        places = thin(self.test_case_ids, self.test_labels, self.class_ratio, seed=self.seed, draw=draw)
        return self.test_logits[places], self.test_labels[places]


def ensemble_of(members: Sequence[ArmResult], details: Mapping[str, Any] | None = None) -> ArmResult:
    """The ensemble of one arm: the mean of its members' logits, with each member's AUC beside it.

    Args:
        members: one arm's members, in any order.
        details: of the ensemble.

    Raises:
        ValueError: if there is no member, or members differ in more than their number, or were tested on other cases.
    """
    members = sorted(members, key=lambda result: -1 if result.member is None else result.member)
    if len({(m.class_ratio, m.loss, m.arm, m.classes, m.seed) for m in members}) != 1:
        raise ValueError("members of one ensemble must share ratio, loss, arm, classes and seed, and be at least one")
    if len({m.member for m in members} - {None}) != len(members):
        raise ValueError("members must be numbered, each once")
    first = members[0]
    if any(not np.array_equal(m.test_case_ids, first.test_case_ids) for m in members):
        raise ValueError("members were tested on other cases or in another order")
    logits: NDArray[np.float64] = np.stack([m.test_logits for m in members]).mean(axis=0, dtype=np.float64)
    return replace(
        first,
        test_logits=logits.astype(np.float32),
        member=None,
        member_aucs=tuple(value for m in members if (value := auc(*m.thinned()).value) is not None),
        details=details or {},
    )


def content_key(parts: Mapping[str, Any]) -> str:
    """SHA-256 of everything that determines a result, whatever the order of its names.

    Example:
        >>> content_key({"seed": 1, "loss": "BCE"}) == content_key({"loss": "BCE", "seed": 1})
        True
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True, allow_nan=False).encode()).hexdigest()


def save_result(path: Path | str, result: ArmResult, *, key: str) -> Path:
    """Write one result as `.npz`, whole or not at all; the same result gives the same bytes.

    Args:
        path: a file whose name ends in `.npz`; its folder is made as needed.
        result: what to store.
        key: content key of the task that made it.

    Raises:
        ValueError: if the name does not end in `.npz`, or `details` is not JSON.
        OutputError: if it cannot be written.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"{path.name} must end in .npz")
    names = ("class_ratio", "loss", "arm", "classes", "seed", "member", "member_aucs", "details")
    facts = {name: getattr(result, name) for name in names} | {"key": key}
    text = json.dumps(facts | {"details": dict(result.details)}, sort_keys=True, allow_nan=False)
    output_folder(path.parent)
    with whole_file(path) as part:
        np.savez_compressed(
            part,
            facts=np.array(text),
            test_logits=result.test_logits.astype(np.float32),
            test_labels=result.test_labels.astype(np.int64),
            test_case_ids=result.test_case_ids.astype(np.int64),
        )
    return path


@contextmanager
def readable(path: Path) -> Iterator[Mapping[str, NDArray[Any]]]:
    """The arrays of a stored `.npz`; nothing is unpickled.

    Args:
        path: a result, or a training's result file.

    Raises:
        NoInputError: whatever damage does on the way, in one line that names the file.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            yield stored
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise NoInputError(f"{path} cannot be read ({reason}); delete it and run 'cifar10 reproduce' again") from error


# what a damaged archive or array can raise on the way
_DAMAGE = (
    OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, NotImplementedError, RuntimeError, MemoryError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def load_result(path: Path | str) -> tuple[ArmResult, str]:
    """Read one result and its content key.

    Args:
        path: as `save_result` wrote it.

    Raises:
        NoInputError: if the file is missing or is no result.
    """
    with readable(Path(path)) as stored:
        facts = json.loads(str(stored["facts"]))
        arrays: dict[str, Any] = {name: stored[name] for name in _ARRAYS}
        key = facts.pop("key")
        facts["classes"] = tuple(facts["classes"])
        facts["member_aucs"] = tuple(facts["member_aucs"])
        return ArmResult(**facts, **arrays), key


def load_results(folder: Path | str) -> list[ArmResult]:
    """All results in a folder and the folders in it, in order of their paths; unfinished files are passed over.

    Args:
        folder: holds at least one `.npz` of `save_result`, and no other `.npz`.

    Raises:
        NoInputError: if there is none, or one cannot be read.
    """
    paths = sorted(path for path in Path(folder).rglob("*.npz") if not path.name.startswith("."))
    if not paths:
        raise NoInputError(f"{folder} holds no results; run 'prostate-alm cifar10 reproduce --out {folder}' first")
    return [load_result(path)[0] for path in paths]
