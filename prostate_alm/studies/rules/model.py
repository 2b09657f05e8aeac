"""The rules that a site can change: which series and files are used, and the limits that they must keep.

The models hold no defaults: these stand in `default_rules.yaml`, each with its reason, and `load_rules` reads them.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from prostate_alm.studies.rules.fields import DiffusivityRange, FilePattern, Share, Text, TimeRange, Vendor, WordPattern
from prostate_alm.studies.words import safe_vendor, words_of


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class T2Rules(_Section):
    """What an axial T2 must state.

    Args:
        echo_time_ms: lowest and highest echo time, each 1 to 1000 ms.
        min_repetition_time_ms: 0 to 30000 ms.
        named: patterns of words; one of them decides between several T2 that fit equally well.
        never: patterns of words; a description with one of them is no T2.
    """

    echo_time_ms: TimeRange
    min_repetition_time_ms: Annotated[float, Field(ge=0, le=30_000)]
    named: tuple[WordPattern, ...]
    never: tuple[WordPattern, ...]

    def names(self, description: str) -> bool:
        """True if a description has a word of `named`.

        Args:
            description: SeriesDescription as stored, or a file's name.
        """
        return _any_word(description, self.named)

    def rules_out(self, description: str) -> bool:
        """True if a description has a word of `never`.

        Args:
            description: SeriesDescription as stored, or a file's name.
        """
        return _any_word(description, self.never)


class DwiRules(_Section):
    """What counts as acquired diffusion.

    Args:
        calculated_words: patterns of words; an image with one of them is calculated, not acquired.
        time_tolerance: largest relative difference of echo and repetition times in one measurement, 0 to 0.2.
        unverified_b_values: `refuse` or `accept` b-values from a source that could not be verified for its vendor.
    """

    calculated_words: tuple[WordPattern, ...]
    time_tolerance: Annotated[float, Field(ge=0, le=0.2)]
    unverified_b_values: Literal["refuse", "accept"]

    def says_calculated(self, description: str) -> bool:
        """True if a description has a word of `calculated_words`.

        Args:
            description: SeriesDescription as stored, or a file's name.
        """
        return _any_word(description, self.calculated_words)


class GeometryRules(_Section):
    """What counts as an axial stack.

    Args:
        max_tilt_deg: largest angle between the slices' normal and the body's long axis, 0 to 45 degrees.
        min_slices: 2 to 500.
    """

    max_tilt_deg: Annotated[float, Field(ge=0, le=45)]
    min_slices: Annotated[int, Field(ge=2, le=500)]


class CheckRules(_Section):
    """The limits that volumes must keep before anyone decides on them.

    Args:
        min_extent_mm: along the slices, 0 to 500 mm.
        max_end_distance_mm: how far T2 or DWI may reach beyond the other, 0 to 100 mm.
        min_overlap: share of the middle of the one that the other covers, 0 to 1.
        max_fit_residual: median relative residual of the mono-exponential fit, 0 to 1.
        fit_adc_mm2_per_s: lowest and highest median ADC of the fit, each 0 to 0.01 mm^2/s.
        max_extrapolation_above: factor on the highest acquired b-value, 1 to 3.
        max_extrapolation_below: distance from the lowest acquired b-value above zero, 0 to 1000 s/mm^2.
        min_snr: signal-to-noise ratio of the T2 and of each DWI, 0 to 1000.
        max_saturated: share of voxels at the maximum value, 0 to 1.
        min_contrast: 99th percentile over median, 1 to 100.
        max_blank_slices: slices without any contrast, 0 to 500.
        max_signal_ratio: mean signal at a b-value over that at the next lower one, 0 to 1; it must stay below.
    """

    min_extent_mm: Annotated[float, Field(ge=0, le=500)]
    max_end_distance_mm: Annotated[float, Field(ge=0, le=100)]
    min_overlap: Share
    max_fit_residual: Share
    fit_adc_mm2_per_s: DiffusivityRange
    max_extrapolation_above: Annotated[float, Field(ge=1, le=3)]
    max_extrapolation_below: Annotated[float, Field(ge=0, le=1000)]
    min_snr: Annotated[float, Field(ge=0, le=1000)]
    max_saturated: Share
    min_contrast: Annotated[float, Field(ge=1, le=100)]
    max_blank_slices: Annotated[int, Field(ge=0, le=500)]
    max_signal_ratio: Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class FileMatch:
    """What a file's name says.

    Args:
        prefix: what `*` stands for, as written; the files of one study share it. Empty without a `*`.
        b: what `{b}` stands for, s/mm^2; None without a `{b}`.
    """

    prefix: str
    b: int | None = None


class FileRule(_Section):
    """What a NIfTI, MHA or NRRD file is, by its name.

    Args:
        name: with at most one `*` for the study's prefix and one `{b}` for a whole number of 1 to 5 digits.
        use_as: what the file is.
        because: why, for the listing of files; may be empty.
    """

    name: FilePattern
    use_as: Literal["t2", "dwi", "adc", "calculated", "ignore"]
    because: Annotated[str, Field(max_length=200, description="text of at most 200 characters, in quotes")] = ""

    def match(self, stem: str) -> FileMatch | None:
        """What a name says, or None if the rule does not fit; upper and lower case are one.

        Args:
            stem: the file's name without folder and extension.

        Example:
            >>> FileRule(name="*_b{b}", use_as="dwi").match("Case7_B1000")
            FileMatch(prefix='Case7', b=1000)
            >>> FileRule(name="*_b{b}", use_as="dwi").match("case7_b50_800") is None
            True
        """
        found = _expression(self.name).fullmatch(stem)
        if found is None:
            return None
        said = found.groupdict()
        return FileMatch(said.get("prefix", ""), int(said["b"]) if "b" in said else None)


class SeriesRule(_Section):
    """Which DICOM series to take, or not to take, among those that pass by content.

    Every condition that is stated must hold; at least one must be.

    Args:
        use_as: `t2` or `dwi` prefers the series, `ignore` leaves it out.
        because: why; required, as the rule overrides what the images say.
        description: pattern for the whole SeriesDescription.
        series_number: SeriesNumber (0020,0011), at least 0.
        vendor: one that `words.safe_vendor` knows, or `other`.
        model: pattern for the whole ManufacturerModelName.
    """

    use_as: Literal["t2", "dwi", "ignore"]
    because: Text
    description: Text | None = None
    series_number: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    vendor: Vendor | None = None
    model: Text | None = None

    @model_validator(mode="after")
    def _some_condition(self) -> "SeriesRule":
        if self.description is self.series_number is self.vendor is self.model is None:
            raise ValueError("needs at least one of description, series_number, vendor and model")
        return self

    def fits(self, *, description: str, series_number: int | None, vendor: str, model: str) -> bool:
        """True if every condition holds; text that a series does not state is empty, and fits no condition but `*`.

        Args:
            description: SeriesDescription, as stored.
            series_number: SeriesNumber, None if not stated.
            vendor: Manufacturer, as stored or from `words.safe_vendor`.
            model: ManufacturerModelName.

        Example:
            >>> rule = SeriesRule(description="t2*tra*", vendor="Siemens", use_as="t2", because="our protocol")
            >>> rule.fits(description="T2_tse_tra", series_number=5, vendor="SIEMENS", model="Skyra")
            True
        """
        return (
            (self.description is None or _fits(description, self.description))
            and (self.series_number is None or series_number == self.series_number)
            and (self.vendor is None or safe_vendor(vendor) == safe_vendor(self.vendor))
            and (self.model is None or _fits(model, self.model))
        )


class Rules(_Section):
    """Everything that a site can change about the reading of studies; hashable, and safe to send to a worker.

    Args:
        version: of the format of the file, 1.
        t2: what an axial T2 must state.
        dwi: what counts as acquired diffusion.
        geometry: what counts as an axial stack.
        checks: the limits of the volumes.
        files: the first rule that fits a name decides.
        series: the first rule that fits a series decides.

    Example:
        >>> from prostate_alm.studies.rules.file import load_rules
        >>> load_rules(None).t2.echo_time_ms
        (60.0, 250.0)
    """

    version: Literal[1]
    t2: T2Rules
    dwi: DwiRules
    geometry: GeometryRules
    checks: CheckRules
    files: tuple[FileRule, ...]
    series: tuple[SeriesRule, ...]

    @field_validator("version", mode="before")
    @classmethod
    def _whole_number(cls, value: object) -> object:
        if type(value) is not int:  # a Literal takes True and 1.0 for 1
            raise ValueError("no whole number")
        return value

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the content, as 64 hex digits: equal for equal rules, however their file is laid out.

        Example:
            >>> from prostate_alm.studies.rules.file import load_rules
            >>> len(load_rules(None).fingerprint)
            64
        """
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode("ascii")).hexdigest()


def _fits(text: str, pattern: str) -> bool:
    return fnmatchcase(text.lower(), pattern.lower())


@lru_cache(maxsize=1024)  # every image of a series asks the same
def _any_word(text: str, patterns: tuple[str, ...]) -> bool:
    words = words_of(text)
    return any(_fits(word, pattern) for pattern in patterns for word in words)


@lru_cache(maxsize=256)
def _expression(name: str) -> re.Pattern[str]:
    # a b-value between other digits would be part of a number
    parts = {"*": "(?P<prefix>.*)", "{b}": "(?<![0-9])(?P<b>[0-9]{1,5})(?![0-9])"}
    pieces = [parts.get(piece) or re.escape(piece) for piece in re.split(r"(\*|\{b\})", name)]
    return re.compile("".join(pieces), re.IGNORECASE | re.DOTALL)
