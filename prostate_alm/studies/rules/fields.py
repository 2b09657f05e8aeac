"""The kinds of value that a rules file may hold; each description is what a message says is allowed."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from prostate_alm.studies.words import safe_vendor

_IMAGE_ENDINGS = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr")


def _ascending(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError("the low end lies above the high end")
    return value


def _file_pattern(value: str) -> str:
    rest = value.replace("{b}", "", 1)
    if rest.count("*") > 1 or re.search(r"[?\[\]{}/\\]", rest) or value.lower().endswith(_IMAGE_ENDINGS):
        raise ValueError("no name of a file")
    return value


def _known_vendor(value: str) -> str:
    # readers keep a vendor only as one of a short list, so that a rule for another one would never fit
    if safe_vendor(value) in ("", "other") and value.lower() != "other":
        raise ValueError("unknown vendor")
    return value


# descriptions are what a message says is allowed
Text = Annotated[str, Field(min_length=1, max_length=200, description="text of 1 to 200 characters, in quotes")]
WordPattern = Annotated[
    str,
    # words_of never yields more than these characters: another pattern would silently never fit
    Field(
        pattern=r"^(?:[^\W_]|[.,*?]|\[!?[^\W_](?:[^\W_]|-)*\])+$",
        max_length=200,
        description="one word without spaces or underscores, with * ? and [0-9] as wildcards",
    ),
]
FilePattern = Annotated[
    Text,
    AfterValidator(_file_pattern),
    Field(description="a file name without folder and extension, with at most one * and one {b}"),
]
Vendor = Annotated[
    Text, AfterValidator(_known_vendor), Field(description="a known vendor such as Siemens, GE or Philips, or 'other'")
]
Share = Annotated[float, Field(ge=0, le=1)]
_Milliseconds = Annotated[float, Field(ge=1, le=1000)]
_Diffusivity = Annotated[float, Field(ge=0, le=0.01)]
TimeRange = Annotated[tuple[_Milliseconds, _Milliseconds], AfterValidator(_ascending)]
DiffusivityRange = Annotated[tuple[_Diffusivity, _Diffusivity], AfterValidator(_ascending)]
