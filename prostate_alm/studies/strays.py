"""File names: which files beside the images can be anything but an image."""

import re
from pathlib import Path

_OTHER_ENDINGS = frozenset(
    re.findall(
        r"\S+",
        """
        .bat .bmp .bval .bvals .bvec .bvecs .css .csv .db .doc .docx .exe .gif .gz .htm .html .inf .ini .jpeg .jpg .js
        .json .log .lst .md .md5 .mha .mhd .nhdr .nii .nrrd .pdf .png .ps1 .py .rtf .sh .sha1 .sum .tif .tiff .toml
        .tsv .txt .xls .xlsx .xml .yaml .yml .zip .zraw
        """,
    )
)
_OTHER_NAMES = frozenset(
    ("autorun", "changelog", "checksums", "copying", "licence", "license", "makefile", "md5sums", "notice", "readme",
     "sha256sums", "version")
)  # fmt: skip
_MAX_ENDING = 5


def ending(path: Path) -> str:
    """The file's suffix in lower case, empty for the tail of a UID or of a number.

    Example:
        >>> [ending(Path(name)) for name in ("a.DCM", "IM0001", "MR.1.2.840.17")]
        ['.dcm', '', '']
    """
    suffix = path.suffix.lower()
    return "" if suffix[1:].isdigit() or len(suffix) > _MAX_ENDING else suffix


def named_otherwise(path: Path) -> bool:
    """True if the name says that the file is no image: `notes.txt`, `LICENSE`, hidden files.

    Example:
        >>> [named_otherwise(Path(name)) for name in ("notes.txt", "LICENSE", ".DS_Store", "IM0001", "1.dcm")]
        [True, True, True, False, False]
    """
    return hidden(path) or path.suffix.lower() in _OTHER_ENDINGS or path.name.lower() in _OTHER_NAMES


def hidden(path: Path) -> bool:
    """True for the files that systems keep for themselves, such as `._IM0001.dcm`."""
    return path.name.startswith(".")
