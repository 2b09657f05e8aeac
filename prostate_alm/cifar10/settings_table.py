"""The choice of the common settings as a table: what was tried in each step, how it did, what was kept."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from prostate_alm.files import write_csv

TABLE = "settings.csv"


@dataclass(frozen=True)
class Tried:
    """One candidate and how it did.

    Args:
        step: what is chosen.
        candidate: its label.
        validation_auc: mean over the members, in percent.
        below_best: how far it is below the best of the step, in percentage points.
        standard_error: of that difference, paired over the members.
        epochs: mean number of epochs that were trained.
        seconds: mean seconds of a training.
        chosen: whether it was kept.
    """

    step: str
    candidate: str
    validation_auc: float
    below_best: float
    standard_error: float
    epochs: float
    seconds: float
    chosen: bool


def write_settings(path: Path, choices: Sequence[Tried]) -> Path:
    """The choices as a table, whole.

    Args:
        path: the CSV file.
        choices: at least one.

    Returns:
        The path.

    Raises:
        OutputError: if it cannot be written.
    """
    return write_csv(path, tuple(asdict(choices[0])), map(asdict, choices))


def markdown(choices: Sequence[Tried]) -> str:
    """The choices as a Markdown table."""
    head = ("step", "candidate", "validation AUC", "below best", "standard error", "epochs", "seconds", "")
    lines = [
        (
            choice.step, choice.candidate, f"{choice.validation_auc:.2f}", f"{choice.below_best:.2f}",
            f"{choice.standard_error:.2f}", f"{choice.epochs:.0f}", f"{choice.seconds:.1f}",
            "chosen" if choice.chosen else "",
        )
        for choice in choices
    ]  # fmt: skip
    rows = [head, ("---", "---", *["---:"] * 5, "---"), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
