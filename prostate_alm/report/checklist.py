"""Reporting checklists (CLAIM, STARD-AI): what the software knows is filled in, the rest stays a named blank."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from prostate_alm.report.content import Report
from prostate_alm.report.facts import facts_of

Status = Literal["filled", "partly", "blank"]


@dataclass(frozen=True)
class Item:
    """One item of a checklist.

    Args:
        number: as its source numbers it, for example `15a`.
        section: of the manuscript.
        asks: what a reader wants to know, in words of our own.
        filled: what the software tells of it; None if it knows nothing.
        blank: what is left to the authors; None if nothing is.
    """

    number: str
    section: str
    asks: str
    filled: str | None
    blank: str | None

    @property
    def status(self) -> Status:
        """`filled` by the software, `partly`, or `blank`."""
        if self.filled is None:
            return "blank"
        return "filled" if self.blank is None else "partly"


@dataclass(frozen=True)
class Checklist:
    """One checklist, filled in as far as software can."""

    name: str
    title: str
    source: str
    items: tuple[Item, ...]

    def count(self, status: Status) -> int:
        """How many items have a status."""
        return sum(item.status == status for item in self.items)

    @property
    def summary(self) -> str:
        """How many items stand how, in words."""
        return (
            f"{self.count('filled')} of {len(self.items)} items filled in by the software, {self.count('partly')} in "
            f"part, {self.count('blank')} left to the authors. A filled item says what was done, not that it is enough."
        )


def checklists(report: Report) -> tuple[Checklist, ...]:
    """CLAIM 2024 and STARD-AI 2025 for a report.

    An item is filled in only from what the report holds: what it does not hold is left to the authors, by name.

    Args:
        report: computed.

    Example:
        >>> from prostate_alm.report.build import report_of
        >>> from prostate_alm.report.content import Evaluated
        >>> claim, stard = checklists(report_of(Evaluated([("a", 1, "alm", 2.0), ("b", 0, "alm", 1.0)])))
        >>> len(claim.items), len(stard.items)
        (44, 48)
        >>> [(item.number, item.blank) for item in claim.items if item.asks == "definition of the reference standard"]
        [('14', 'what made a study positive')]
    """
    facts = facts_of(report)
    return tuple(
        Checklist(
            source["name"],
            source["title"],
            source["source"],
            tuple(_item(row, section, facts) for section, rows in source["sections"].items() for row in rows),
        )
        for source in _sources()
    )


@cache
def _sources() -> list[dict[str, Any]]:
    return yaml.safe_load(files("prostate_alm.report").joinpath("checklists.yaml").read_text(encoding="utf-8"))


def _item(row: Mapping[str, str], section: str, facts: Mapping[str, str | None]) -> Item:
    filled = facts[row["fact"]] if "fact" in row else None
    blank = row.get("authors")
    return Item(row["item"], section, row["asks"], filled, blank if filled or blank else row["asks"])
