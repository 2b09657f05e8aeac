"""Free text from the scanner, reduced to what may be stored.

SeriesDescription, Manufacturer and model name are typed in by people and may hold a name; only known words of a
description survive, a manufacturer becomes one of a short list, a model name keeps plain characters only.
"""

import re

ALLOWED = frozenset(
    re.findall(
        r"\w+",
        """
        t1 t1w t2 t2w pd pdw tse fse frfse tfl haste space cube vista blade propeller flair stir tirm vibe dixon
        spair fs fatsat tra trans transverse axial ax sag sagittal cor coronal obl oblique 2d 3d ref loc localizer
        localiser scout survey dwi dw diff diffusion ep2d epi ssh resolve zoomit focus trace tracew adc eadc calc
        calculated bval dyndist dyndistcalc dyn dce perf perfusion prostate pelvis small large fov high low hr
        synthetic syn computed map images orig original mean dis2d dis3d nd norm phantom
        """,
    )
)
_PATTERNS = re.compile(r"b\d{1,4}|b-?value")
_WORDS = re.compile(r"[^\W_]+(?:[.,]\d+[^\W_]*)*")
_MODALITIES = frozenset(("MR", "CT", "PT", "NM", "US", "SC", "OT", "SEG", "REG", "SR", "PR", "DOC", "KO"))
_VENDORS = {
    "siemens": "Siemens",
    "ge medical": "GE",
    "ge healthcare": "GE",
    "philips": "Philips",
    "canon": "Canon",
    "toshiba": "Toshiba",
    "uih": "UIH",
    "united imaging": "UIH",
    "hitachi": "Hitachi",
    "fuji": "Fujifilm",
    "hyperfine": "Hyperfine",
    "phantom": "Phantom",
}


def words_of(text: str) -> list[str]:
    """The words of a free text, in lower case; underscores and punctuation separate them.

    Example:
        >>> words_of("ep2d_diff_tra b50")
        ['ep2d', 'diff', 'tra', 'b50']
    """
    return [word.lower() for word in _WORDS.findall(text)]


def safe_description(text: str) -> str:
    """A SeriesDescription in which every word that is not on the allow-list has become `*`.

    Args:
        text: SeriesDescription (0008,103E), as stored.

    Returns:
        The text with known words kept; the empty string stays empty.

    Example:
        >>> safe_description("t2_tse_tra for Mr Miller")
        't2_tse_tra * * *'
    """
    pieces, end = [], 0
    for match in _WORDS.finditer(text):
        if match.start() > end and pieces:
            pieces.append("_" if "_" in text[end : match.start()] else " ")
        word = match.group()
        known = word.lower() in ALLOWED or _PATTERNS.fullmatch(word.lower())
        pieces.append(word if known else "*")
        end = match.end()
    return "".join(pieces)


def safe_vendor(text: str) -> str:
    """Manufacturer (0008,0070) as one of a short list; `other` if unknown, empty if not stated.

    Example:
        >>> safe_vendor("SIEMENS"), safe_vendor("Dr Miller's scanner")
        ('Siemens', 'other')
    """
    lower = text.strip().lower()
    if lower == "ge":
        return "GE"
    return next((name for start, name in _VENDORS.items() if start in lower), "other" if lower else "")


def safe_modality(text: str) -> str:
    """Modality (0008,0060) if it is one that stands beside MR in practice, else `other`."""
    return text if text in _MODALITIES else "other"


def safe_model(text: str) -> str:
    """ManufacturerModelName (0008,1090) with plain characters only, at most 32 of them.

    Example:
        >>> safe_model("MAGNETOM Vida<b>")
        'MAGNETOM Vidab'
    """
    return re.sub(r"[^A-Za-z0-9 ._+-]", "", text).strip()[:32]
