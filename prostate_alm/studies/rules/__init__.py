"""What a site can change: which series and files are used, and the limits of the checks."""

from prostate_alm.studies.rules.file import default_rules, load_rules, loosened
from prostate_alm.studies.rules.model import (
    CheckRules,
    DwiRules,
    FileMatch,
    FileRule,
    GeometryRules,
    Rules,
    SeriesRule,
    T2Rules,
)

__all__ = [
    "CheckRules",
    "DwiRules",
    "FileMatch",
    "FileRule",
    "GeometryRules",
    "Rules",
    "SeriesRule",
    "T2Rules",
    "default_rules",
    "load_rules",
    "loosened",
]
