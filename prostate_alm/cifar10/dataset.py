"""CIFAR-10 from the official python layout: the folder `cifar-10-batches-py` or the official tar.gz."""

import hashlib
import pickle
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from prostate_alm.cifar10.unpickle import BatchUnpickler, PickledArray
from prostate_alm.errors import NoInputError

FOLDER = "cifar-10-batches-py"
ARCHIVE = "cifar-10-python.tar.gz"
TRAINING_FILES = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST_FILE = "test_batch"
CLASSES = 10
SHAPE = (3, 32, 32)

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
_ADVICE = "download CIFAR-10 (python version) again"
# what a damaged or hostile pickle or archive can raise on the way
_DAMAGE = (
    pickle.UnpicklingError, tarfile.TarError, zlib.error, EOFError, OSError, MemoryError, RecursionError,
    ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, ImportError,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Cifar10:
    """All images, in the order of the files.

    Args:
        train_images: uint8 (N, 3, 32, 32), N = 50,000 for the official data.
        train_labels: int64 (N,), class numbers 0 to 9.
        test_images: uint8 (M, 3, 32, 32), M = 10,000 for the official data.
        test_labels: int64 (M,).
    """

    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels

    def digest(self) -> str:
        """SHA-256 of all images and labels in their order: the data's part of a content key."""
        sha = hashlib.sha256()
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            sha.update(repr(array.shape).encode())
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()


def read_batches(path: Path | str) -> Cifar10:
    """Read CIFAR-10 without running anything that the files may name (see `unpickle`).

    Args:
        path: the folder `cifar-10-batches-py`, a folder that holds it or the official archive, or the archive itself.

    Raises:
        NoInputError: if a file is missing, damaged, of another shape, or asks for code to be run; names the file.
    """
    path = _locate(Path(path))
    batches = dict(_from_archive(path) if path.is_file() else _from_folder(path))
    for name in (*TRAINING_FILES, TEST_FILE):
        if name not in batches:
            raise NoInputError(f"{path} has no {name}; {_ADVICE}")
    test_images, test_labels = _joined([batches.pop(TEST_FILE)])
    train_images, train_labels = _joined([batches.pop(name) for name in TRAINING_FILES])
    return Cifar10(train_images, train_labels, test_images, test_labels)


def _locate(path: Path) -> Path:
    """The layout's folder or the archive, whichever `path` leads to."""
    if path.is_file():
        return path
    for place in (path / FOLDER, path / ARCHIVE):
        if place.exists():
            return place
    if path.is_dir() and any((path / name).exists() for name in (*TRAINING_FILES, TEST_FILE)):
        return path
    raise NoInputError(f"{path} holds no CIFAR-10: give the folder {FOLDER}, the folder around it, or {ARCHIVE}")


def _joined(batches: list[tuple[Images, Labels]]) -> tuple[Images, Labels]:
    """One array of all; each part is let go once it is copied, so that memory stays near one copy of the data."""
    labels = np.concatenate([labels for _, labels in batches])
    images = np.empty((len(labels), *SHAPE), np.uint8)
    end = len(labels)
    while batches:
        part, _ = batches.pop()
        images[end - len(part) : end] = part
        end -= len(part)
    return images, labels


@contextmanager
def _named(place: str) -> Iterator[None]:
    """Turn whatever damage does into one line that names the file."""
    try:
        yield
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise NoInputError(f"{place} cannot be read: {reason}; {_ADVICE}") from error


def _from_folder(folder: Path) -> Iterator[tuple[str, tuple[Images, Labels]]]:
    for name in (*TRAINING_FILES, TEST_FILE):
        path = folder / name
        if not path.is_file():
            raise NoInputError(f"{path} is missing; {_ADVICE}")
        with _named(str(path)), path.open("rb") as file:
            yield name, _batch(file)


def _from_archive(path: Path) -> Iterator[tuple[str, tuple[Images, Labels]]]:
    with _named(str(path)), tarfile.open(path, "r|*") as archive:
        for member in archive:
            name = PurePosixPath(member.name).name
            file = archive.extractfile(member) if name in (*TRAINING_FILES, TEST_FILE) else None
            if file is not None:
                with _named(f"{path}: {name}"):
                    yield name, _batch(file)


def _batch(file: IO[bytes]) -> tuple[Images, Labels]:
    """Read and check one batch; ValueError says what is wrong with it."""
    content: Any = BatchUnpickler(file).load()
    if not isinstance(content, dict) or not {b"data", b"labels"} <= content.keys():
        raise ValueError("it has no data and labels")
    pixels, labels = content[b"data"], content[b"labels"]
    if type(pixels) is not PickledArray or pixels.values.ndim != 2 or pixels.values.shape[1] != np.prod(SHAPE):
        shape = pixels.values.shape if type(pixels) is PickledArray else "unknown"
        raise ValueError(f"the shape of its data is {shape}, expected (images, 3072)")
    data = pixels.values
    if not isinstance(labels, list) or any(type(label) is not int for label in labels) or len(labels) != len(data):
        raise ValueError(f"its labels are not {len(data)} integers, one for each image")
    if not labels or min(labels) < 0 or max(labels) >= CLASSES:
        raise ValueError(f"its labels are not in 0 to {CLASSES - 1}, or it holds no image")
    return data.reshape(-1, *SHAPE), np.array(labels, np.int64)
