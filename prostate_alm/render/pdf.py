"""Pages as PDF, set by Typst from a template and plain values, without any system library."""

import json
from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


def typeset(
    package: str,
    template: str,
    content: Mapping[str, Any],
    pictures: Mapping[str, bytes] | None = None,
    *,
    created: datetime | None = None,
) -> bytes:
    """A PDF; the same input gives the same bytes, if the template sets `date: none` for its document.

    The template reads `json("content.json")` and shows its strings as text: nothing in them is markup to Typst. It may
    name the font "DejaVu Sans", which comes with matplotlib; scripts that it lacks are shown in a font of the machine.

    Args:
        package: the package whose folder `templates` holds the template; files in it may import each other.
        template: its file name, for example `"report.typ"`.
        content: what JSON can hold; NaN and infinity are refused.
        pictures: file name -> bytes of PNG or SVG, that the template shows by `image(name)`.
        created: the date in the PDF's own metadata, with its time zone; None writes none.

    Raises:
        ValueError: if the content is no JSON, or holds NaN or infinity.
        typst.TypstError: if the template does not fit the content.
    """
    import typst
    from matplotlib import get_data_path

    with TemporaryDirectory(prefix="prostate-alm-") as name:
        folder = Path(name)
        for entry in files(package).joinpath("templates").iterdir():
            if entry.name.endswith(".typ"):
                (folder / entry.name).write_bytes(entry.read_bytes())
        for picture, data in (pictures or {}).items():
            (folder / picture).write_bytes(data)
        (folder / "content.json").write_text(json.dumps(content, allow_nan=False), encoding="utf-8")
        return typst.compile(
            str(folder / template),
            root=name,
            font_paths=[str(Path(get_data_path()) / "fonts" / "ttf")],
            timestamp=created,
        )
