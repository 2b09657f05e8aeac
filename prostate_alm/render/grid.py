"""A table as it is shown, whatever shows it: heads over columns, row heads, cells of text."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Grid:
    """A table of text.

    Args:
        title: above it.
        note: what its figures rest on; empty leaves it out.
        heads: names of the leading columns, which name each row.
        groups: (head, names of the columns under it); a head alone has one column named "".
        rows: row heads and cells, as many as the heads and columns.

    Raises:
        ValueError: if a row has another number of cells.

    Example:
        >>> grid = Grid("Table 0", "In percent.", ["loss"], [("AUC", ["paper", "ours"])], [(["BCE"], ["94.67", ""])])
        >>> print(grid.markdown())
        ## Table 0
        <BLANKLINE>
        | loss | AUC: paper | ours |
        | --- | ---: | ---: |
        | BCE | 94.67 |  |
        <BLANKLINE>
        In percent.
        <BLANKLINE>
    """

    title: str
    note: str
    heads: Sequence[str]
    groups: Sequence[tuple[str, Sequence[str]]]
    rows: Sequence[tuple[Sequence[str], Sequence[str]]]

    def __post_init__(self) -> None:
        wanted = len(self.heads), sum(len(columns) for _, columns in self.groups)
        for heads, cells in self.rows:
            if (len(heads), len(cells)) != wanted:
                raise ValueError(f"{self.title}: a row has {len(heads)} heads and {len(cells)} cells, not {wanted}")

    @property
    def named_columns(self) -> bool:
        """Whether any column has a name of its own below the head."""
        return any(any(columns) for _, columns in self.groups)

    def markdown(self, level: int = 2) -> str:
        """The table under a title of this level, its note below."""
        columns = [
            " ".join(part for part in (f"{head}:" if name and not place else "" if place else head, name) if part)
            for head, names in self.groups
            for place, name in enumerate(names)
        ]
        lines = [
            [*self.heads, *columns],
            ["---"] * len(self.heads) + ["---:"] * len(columns),
            *([*heads, *cells] for heads, cells in self.rows),
        ]
        body = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
        return f"{'#' * level} {self.title}\n\n{body}" + (f"\n{self.note}\n" if self.note else "")
