"""Unpickling that can build what a CIFAR-10 batch holds, and nothing else.

A batch is a dictionary of byte strings, lists of integers and byte strings, and one uint8 array. The official files
were written by Python 2 (protocol 2): their strings are read as bytes. A pickle can call any function it can name, so
the four names that a batch needs are listed here, and each leads to a stand-in: nothing of numpy is called by a file.
"""

import pickle
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray


class PickledArray:
    """What an array in a pickle becomes; `values` is uint8 and shares the pickle's bytes (read-only)."""

    values: NDArray[np.uint8] = np.empty(0, np.uint8)

    def __setstate__(self, state: Any) -> None:
        _version, shape, kind, by_columns, raw = state
        if type(kind) is not _Uint8 or type(raw) is not bytes:
            raise pickle.UnpicklingError("it holds an array of a type other than uint8")
        self.values = np.frombuffer(raw, np.uint8).reshape(shape, order="F" if by_columns else "C")


class _Uint8:
    """Stands for numpy.dtype("u1")."""

    def __init__(self, code: Any, *_: Any) -> None:
        if code not in ("u1", b"u1"):
            raise pickle.UnpicklingError("it holds an array of a type other than uint8")

    def __setstate__(self, _state: Any) -> None:
        """A byte order means nothing for one byte."""


def _array(*_: Any) -> PickledArray:
    return PickledArray()


def _latin1(text: Any, encoding: Any) -> bytes:
    if type(text) is not str or encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError("it holds a string in an unknown encoding")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _array,  # numpy before 2
    ("numpy._core.multiarray", "_reconstruct"): _array,  # numpy since 2
    ("numpy", "ndarray"): None,  # only ever an argument of _reconstruct
    ("numpy", "dtype"): _Uint8,
    ("_codecs", "encode"): _latin1,  # how Python 3 writes bytes in protocol 2
}


class BatchUnpickler(pickle.Unpickler):
    """Reads one CIFAR-10 batch; arrays come out as `PickledArray`.

    Args:
        file: open for reading bytes.

    Raises:
        pickle.UnpicklingError: from `load()`, if the pickle names any other class or function; it is not imported.
    """

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="bytes")

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """The stand-in for an allowed name."""
        if (module_name, global_name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module_name}.{global_name}, which no CIFAR-10 batch needs")
        return _ALLOWED[module_name, global_name]
