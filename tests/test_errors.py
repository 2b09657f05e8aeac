"""Every mistake has its exit code, and goes through a worker process unharmed."""

import pickle

import pytest

from prostate_alm import errors


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("UsageError", 2),
        ("NoInputError", 4),
        ("ModelError", 5),
        ("OutputError", 6),
        ("RefusedError", 7),
        ("IntegrityError", 8),
    ],
)
def test_exit_codes(kind: str, code: int) -> None:
    error = getattr(errors, kind)("what, where")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  (as a worker process hands it back)
    assert isinstance(copy, errors.UserError)
    assert type(copy) is type(error)
    assert (copy.exit_code, str(copy)) == (code, "what, where")
