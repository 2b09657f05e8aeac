"""One value out of a Siemens CSA header, without trusting a length in it.

nibabel reads these too (nibabel.nicom.csareader, the oracle of the tests), but it follows a negative length backwards:
a crafted header of 4 MiB keeps it busy for more than a minute. This walk only moves forward.
"""

import struct

LARGEST_BYTES = 4 << 20
"""No header is longer: real image headers hold 10 to 20 kB."""

_START = struct.Struct("<4s4x2I")
_TAG = struct.Struct("<64si4s3i")
_ITEM = struct.Struct("<4i")


def csa_text(header: bytes, name: str) -> str | None:
    """The first value of one named entry, as text; None if the header lacks it or is of another kind.

    Args:
        header: as for `csa_texts`.
        name: the entry, such as `B_value`.

    Raises:
        ValueError: as `csa_texts`.
    """
    return next(iter(csa_texts(header, name)), None)


def csa_texts(header: bytes, name: str) -> list[str]:
    """The filled values of one named entry, as text; none if the header lacks it or is of another kind.

    Only the kind that begins with `SV10` is read: the older one was gone before VB13, where b-values came in.

    Args:
        header: the bytes of CSA Image Header Info (0029,xx10).
        name: the entry, such as `SliceNormalVector`.

    Raises:
        ValueError: if the header is cut, contradicts its own lengths or is larger than 4 MiB.

    Example:
        >>> entry = _TAG.pack(b"B_value", 1, b"IS", 6, 1, 77) + _ITEM.pack(1, 3, 77, 1) + b"400 "
        >>> csa_texts(_START.pack(b"SV10", 1, 77) + entry, "B_value")
        ['400']

    Source: nibabel, "Siemens format DICOM with CSA header", section CSA2.
    """
    key = name.encode() + b"\0"
    if not header.startswith(b"SV10") or key not in header:
        return []
    if len(header) > LARGEST_BYTES:
        raise ValueError("a CSA header of more than 4 MiB")
    try:
        return _items(header, key)
    except struct.error as error:
        raise ValueError("a CSA header that is cut") from error


def _items(header: bytes, key: bytes) -> list[str]:
    _, tags, _ = _START.unpack_from(header)
    at = _START.size
    for _ in range(tags):
        label, _, _, _, items, _ = _TAG.unpack_from(header, at)
        at += _TAG.size
        wanted = label.startswith(key)
        found: list[str] = []
        for _ in range(items):
            _, length, _, _ = _ITEM.unpack_from(header, at)
            at += _ITEM.size
            if not 0 <= length <= len(header) - at:
                raise ValueError("a CSA header with an impossible length")
            if wanted:
                found.append(header[at : at + length].partition(b"\0")[0].decode("latin-1").strip())
            at += length + -length % 4
        if wanted:
            return [text for text in found if text]
    return []
