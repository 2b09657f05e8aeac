"""Names of volume files: which they are, what the site's rules say of them, and which of them are one study."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from prostate_alm.studies.rules import FileMatch, FileRule, Rules
from prostate_alm.studies.strays import hidden

_ENDINGS = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd", ".nhdr")
_COMPANIONS = (".json", ".bval", ".bvec", ".raw", ".zraw", ".raw.gz", ".raw.bz2")


@dataclass(frozen=True)
class Name:
    """What a volume file's name says.

    Args:
        stem: without folder and ending.
        rule: the first of the site's rules that fits, None if none does.
        match: what the rule reads out of the name.
    """

    stem: str
    rule: FileRule | None = None
    match: FileMatch | None = None

    @property
    def prefix(self) -> str:
        """What the files of one study share, by the rule; empty without one."""
        return self.match.prefix if self.match else ""

    @property
    def b(self) -> int | None:
        """The b-value in the name, s/mm^2."""
        return self.match.b if self.match else None


def is_volume_file(path: Path) -> bool:
    """True if the ending is that of NIfTI, MetaImage or NRRD and no system keeps the file for itself.

    Example:
        >>> [is_volume_file(Path(name)) for name in ("a.nii.gz", "b.MHA", "._a.nii.gz", "c.gz", "1.dcm")]
        [True, True, False, False, False]
    """
    return path.name.lower().endswith(_ENDINGS) and not hidden(path)


def stem_of(path: Path) -> str:
    """The name without the ending; a name with another ending stays as it is.

    Example:
        >>> stem_of(Path("in/Case_1.5_t2w.nii.gz"))
        'Case_1.5_t2w'
    """
    return _without(path.name, _ENDINGS)


def companions_among(paths: Iterable[Path], volumes: Iterable[Path]) -> set[Path]:
    """The files that belong to a volume file by their name: sidecar, b-values, gradients, detached voxels.

    Args:
        paths: any files.
        volumes: the volume files.
    """
    stems = {(path.parent, stem_of(path)) for path in volumes}
    named_so = (path for path in paths if path.name.lower().endswith(_COMPANIONS))
    return {path for path in named_so if (path.parent, _without(path.name, _COMPANIONS)) in stems}


def companions_of(path: Path) -> list[Path]:
    """The files beside a volume file that belong to it, in order of their names; none for any other file.

    Args:
        path: a file.
    """
    return sorted(companions_among(path.parent.iterdir(), [path])) if is_volume_file(path) else []


def _without(name: str, endings: Iterable[str]) -> str:
    length = next((len(ending) for ending in endings if name.lower().endswith(ending)), 0)
    return name[: len(name) - length]


def name_of(path: Path, rules: Rules) -> Name:
    """What the first rule that fits says of a volume file.

    Args:
        path: the file.
        rules: the site's rules.

    Example:
        >>> from prostate_alm.studies.rules import load_rules
        >>> name = name_of(Path("10000_1000000_b800.mha"), load_rules(None))
        >>> name.prefix, name.b, name.rule.use_as
        ('10000_1000000', 800, 'dwi')
    """
    stem = stem_of(path)
    for rule in rules.files:
        if (match := rule.match(stem)) is not None:
            return Name(stem, rule, match)
    return Name(stem)


def prefix_in(name: Name, prefixes: frozenset[str]) -> str:
    """The prefix of the study that a file of a folder belongs to; empty if it shares none.

    A file that no rule fits goes with the longest prefix that its name begins with.

    Args:
        name: of the file.
        prefixes: of the folder's studies.

    Example:
        >>> prefix_in(Name("case1_mask"), frozenset(("case", "case1")))
        'case1'
    """
    if name.prefix in prefixes:
        return name.prefix
    ends = [index for index, letter in enumerate(name.stem) if not letter.isalnum()]
    return next((name.stem[:end] for end in reversed(ends) if name.stem[:end] in prefixes), "")
