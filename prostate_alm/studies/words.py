"""Free text from the scanner, reduced to what may be stored.

SeriesDescription, Manufacturer and model name are typed in by people and may hold a name; only known words of a
description or a model name survive, a manufacturer becomes one of a short list.
"""

import re

from prostate_alm.studies.bvalues import NOMINAL_B_VALUES

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
_B_WORDS = frozenset((*(f"b{b}" for b in (*NOMINAL_B_VALUES, 10, 20, 30, 40, 80)), "bvalue"))
_WORDS = re.compile(r"[^\W_]+(?:[.,]\d+[^\W_]*)*")
_WHOLE_MODELS = frozenset(("prostate_alm phantom",))
_MODELS = frozenset(
    re.findall(
        r"\S+",
        """
        magnetom skyra skyrafit prisma prismafit fit vida aera avanto avantofit trio triotim verio sola lumina terra
        espree symphony symphonytim sonata essenza amira altea free.max free.star harmony biograph mmr spectra sempra
        cima.x signa discovery optima artist architect premier pioneer voyager creator explorer brivo
        hdxt hdx hdi excite genesis mr mr450 mr450w mr750 mr750w mr355 mr360 hero champion 450 450w 750 750w
        ingenia achieva ambition elition intera panorama multiva prodiva evolution dstream cx x s xt xr xp tx
        vantage titan galan orian elan fortian gracian atlas centurian
        umr 560 570 580 586 588 670 680 770 780 790 870 880 890 omega jupiter
        echelon oval smart airis vento synergy swoop
        1.5t 3t 3.0t 1.5 3.0
        """,
    )
)
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
        known = word.lower() in ALLOWED or word.lower() in _B_WORDS
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
    """ManufacturerModelName (0008,1090) with known words only; `other` if none is known, empty if not stated.

    Example:
        >>> safe_model("MAGNETOM Vida<b>"), safe_model("DOE JOHN 19500101")
        ('MAGNETOM Vida', 'other')
    """
    if text in _WHOLE_MODELS:
        return text
    known = [word for word in re.findall(r"[A-Za-z0-9.]+", text) if word.lower() in _MODELS]
    return " ".join(known) or ("other" if text.strip() else "")
