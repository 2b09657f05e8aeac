"""What lies beside a volume file: the JSON sidecar of dcm2niix (BIDS) and the b-values of FSL (.bval)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prostate_alm.studies.bvalues.binning import BValue, BValueError, contradiction
from prostate_alm.studies.dicom.mosaics import MOSAIC
from prostate_alm.studies.headers import FormError
from prostate_alm.studies.volume_files.names import stem_of
from prostate_alm.studies.words import safe_modality, safe_model, safe_vendor

BVAL, NAME = ".bval", "file name"
"""The sources of b-values, as provenance gives them."""
_LONGEST = 1 << 22
_LONGEST_TEXT = 1024
_LARGEST = 1e9
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?", re.ASCII)
_UID = re.compile(r"\d+(?:\.\d+)+", re.ASCII)
_KNOWN = frozenset(("Modality", "ImageType", "EchoTime", "RepetitionTime", "ScanningSequence", "SeriesDescription"))
_ADDED = MOSAIC | {"MAGNITUDE"}
"""ImageType of what has been cut into slices already, and a word that dcm2niix adds."""


@dataclass(frozen=True)
class Sidecar:
    """A JSON sidecar as values; what has another type than expected counts as not stated."""

    values: Mapping[str, Any]

    def uid(self, key: str) -> str:
        """A UID (PS3.5 9.1), as `-ba n` keeps it."""
        text = self._text(key)
        return text if len(text) <= 64 and _UID.fullmatch(text) else ""

    def fields(self) -> dict[str, Any]:
        """What a `Header` takes from it; seconds become milliseconds."""
        field_strength = self._number("MagneticFieldStrength")
        number = self._number("SeriesNumber")
        # of a multi-slice echo-planar series RepetitionTime is that of a volume, RepetitionTimeExcitation (0018,0080)
        repetition = self._number("RepetitionTimeExcitation") or self._number("RepetitionTime")
        return {
            "modality": safe_modality(self._text("Modality")),
            "image_type": tuple(word for word in self._words("ImageType") if word not in _ADDED),
            "patient_id": self._text("PatientID"),
            "patient_name": self._text("PatientName"),
            "birth_date": self._text("PatientBirthDate"),
            "sex": self._text("PatientSex").upper(),
            "body_part": (self._text("BodyPart") or self._text("BodyPartExamined")).upper(),
            "accession": self._text("AccessionNumber"),
            "vendor": safe_vendor(self._text("Manufacturer")),
            "model": safe_model(self._text("ManufacturersModelName")),
            "field_strength_t": field_strength / 10_000 if field_strength and field_strength > 100 else field_strength,
            "raw_description": self._text("SeriesDescription"),
            "series_number": None if number is None else int(number),
            "scanning_sequence": self._words("ScanningSequence"),
            "sequence_name": self._text("SequenceName"),
            "echo_time_ms": _milliseconds(self._number("EchoTime")),
            "repetition_time_ms": _milliseconds(repetition),
        }

    def _text(self, key: str) -> str:
        value = self.values.get(key)
        return str(value).strip("\0 ")[:_LONGEST_TEXT] if isinstance(value, str | int | float) else ""

    def _words(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key)
        words = value.split("\\") if isinstance(value, str) else value if isinstance(value, list) else []
        return tuple(word.strip("\0 ").upper() for word in words if isinstance(word, str))

    def _number(self, key: str) -> float | None:
        value = self.values.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < _LARGEST:
            return None
        return float(value)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 6)


def read_sidecar(volume: Path) -> Sidecar | None:
    """The JSON sidecar beside a volume file; None if there is none, or it tells of something else.

    Args:
        volume: the volume file.

    Raises:
        FormError: if it cannot be read.
    """
    text = _beside(volume, ".json")
    if text is None:
        return None
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormError("its JSON sidecar is damaged") from error
    return Sidecar(values) if isinstance(values, dict) and _KNOWN & set(values) else None


def read_b_values(volume: Path, volumes: int, named: int | None) -> list[BValue | None]:
    """The b-value of each volume of a file, by the `.bval` beside it or by its name.

    Args:
        volume: the volume file.
        volumes: how many it holds.
        named: what its name states for all of them, s/mm^2.

    Raises:
        BValueError: if `.bval` holds something else, or another number of b-values, or contradicts the name.
        FormError: if `.bval` cannot be read.

    Source: FSL, FDT user guide: bvals is one line of numbers, one for each volume.
    """
    by_name = None if named is None else _b_value(float(named), NAME)
    text = _beside(volume, BVAL)
    if text is None:
        return [by_name] * volumes
    tokens = text.split()
    if not all(_NUMBER.fullmatch(token) for token in tokens):
        raise BValueError("its .bval holds something that is no number")
    if len(tokens) != volumes:
        raise BValueError(
            f"its .bval states {len(tokens)} b-value{'' if len(tokens) == 1 else 's'} "
            f"for {volumes} volume{'' if volumes == 1 else 's'}"
        )
    stated = [_b_value(float(token), BVAL) for token in tokens]
    for value in stated if by_name else []:
        if by_name and not value.agrees_with(by_name):
            raise contradiction(value, by_name)
    return list(stated)


def _b_value(number: float, source: str) -> BValue:
    if not -5 <= number <= 20_000:
        raise BValueError(f"{source} states {number:g}, which is no b-value")
    return BValue(number, source)


def _beside(volume: Path, ending: str) -> str | None:
    path = volume.with_name(stem_of(volume) + ending)
    if not path.exists():
        if path.is_symlink():
            raise FormError(f"its {ending} is a link that leads nowhere")
        return None
    if not path.is_file():
        raise FormError(f"its {ending} is no regular file")
    with path.open("rb") as file:
        content = file.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise FormError(f"its {ending} is larger than {_LONGEST >> 20} MiB")
    return content.decode("utf-8-sig", "replace")
