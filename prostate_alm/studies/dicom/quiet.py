"""pydicom without its remarks: warnings and log lines quote values, and a value may be a name."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGER = logging.getLogger("pydicom")


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing that pydicom remarks on in the block is shown, or reaches the log of whoever uses this package."""
    propagate = _LOGGER.propagate
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _LOGGER.propagate = False
        try:
            yield
        finally:
            _LOGGER.propagate = propagate
