"""The dialects that a phantom can be written in: the one registry of them."""

from collections.abc import Mapping

from prostate_alm.errors import UsageError
from prostate_alm.phantom.scan import Dialect
from prostate_alm.phantom.vendors.ge import GE, GE_RAW
from prostate_alm.phantom.vendors.neutral import ENHANCED, ENHANCED_PER_FRAME, J2K, STANDARD
from prostate_alm.phantom.vendors.philips import PHILIPS, PHILIPS_RAW
from prostate_alm.phantom.vendors.siemens import SIEMENS, SIEMENS_RAW
from prostate_alm.phantom.vendors.siemens_mosaic import SIEMENS_MOSAIC, SIEMENS_MOSAIC_AGAINST
from prostate_alm.phantom.vendors.uih import UIH

# what one site's exports look like; each study is one of them
DIALECTS: Mapping[str, tuple[Dialect, ...]] = {
    "siemens": (SIEMENS, SIEMENS_RAW),
    "siemens-mosaic": (SIEMENS_MOSAIC, SIEMENS_MOSAIC_AGAINST),
    "ge": (GE, GE_RAW),
    "philips": (PHILIPS, PHILIPS_RAW),
    "uih": (UIH,),
    "standard": (STANDARD,),
    "enhanced": (ENHANCED, ENHANCED_PER_FRAME),
    "j2k": (J2K,),
}


def choose_dialect(name: str, study: int) -> Dialect:
    """The dialect of one study; studies take the variants of their site in turn.

    Args:
        name: a name in `DIALECTS`.
        study: its number in the cohort, from 1.

    Raises:
        UsageError: if there is no such dialect.

    Example:
        >>> choose_dialect("siemens", 1).manufacturer
        'SIEMENS'
    """
    if name not in DIALECTS:
        raise UsageError(f"there is no dialect {name!r}; choose one of {', '.join(DIALECTS)}")
    variants = DIALECTS[name]
    return variants[study % len(variants)]
