"""The environment that fills page templates: everything is escaped, nothing may be missing."""

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


@cache  # templates are compiled once in a process
def environment(package: str) -> Environment:
    """The templates of a package, with every value escaped and a missing one an error.

    Args:
        package: the package whose folder `templates` holds them; `grid.html.j2` and `tables.css` come from here.

    Example:
        >>> environment("prostate_alm.report").from_string("{{ text }}").render(text="<script>")
        '&lt;script&gt;'
    """
    return Environment(
        loader=ChoiceLoader([PackageLoader(package, "templates"), PackageLoader("prostate_alm.render", "templates")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def json_block(content: Any) -> str:
    """What stands inside `<script type="application/json">`: no string in it can end the element or begin a tag.

    Args:
        content: what JSON can hold; NaN and infinity are refused.

    Raises:
        ValueError: if the content is no JSON, or holds NaN or infinity.

    Example:
        >>> print(json_block(["</script><!--"]))
        ["\\u003c/script\\u003e\\u003c!--"]
    """
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def inline_script(package: str, *names: str) -> tuple[str, str]:
    """One script to stand in a page, and the source that the page's policy may allow.

    Args:
        package: the package whose folder `templates` holds the files.
        names: files, in the order in which they stand in the script.

    Returns:
        The text, and `sha256-...` for `script-src` of a Content-Security-Policy.
    """
    text = "".join((files(package) / "templates" / name).read_text(encoding="utf-8") for name in names)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return text, f"sha256-{digest}"
