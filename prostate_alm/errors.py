"""The mistakes that a user can make, each with the exit code of the command line.

A message is one line: what is wrong, where, and what to do.
"""


class UserError(Exception):
    """A mistake that the person at the keyboard can mend; printed as one line, without a traceback."""

    exit_code = 2


class UsageError(UserError):
    """The call or an input table is wrong (exit code 2)."""


class NoInputError(UserError):
    """No input could be read at all (exit code 4)."""

    exit_code = 4


class ModelError(UserError):
    """The model is missing or does not fit (exit code 5)."""

    exit_code = 5


class OutputError(UserError):
    """The output cannot be written (exit code 6)."""

    exit_code = 6


class RefusedError(UserError):
    """The request was understood and refused: not certifiable, or cohorts share patients (exit code 7)."""

    exit_code = 7


class IntegrityError(UserError):
    """A hash or a chain of hashes does not match (exit code 8)."""

    exit_code = 8


class NotFiniteError(UserError, ValueError):
    """A logit or a loss is NaN or infinite, so training has diverged (exit code 2)."""
