"""A discussion written in simple Markdown as HTML: headings, paragraphs and lists; everything else is shown as text."""

import html
import re
from itertools import groupby

_HEADING = re.compile(r"(#{1,6})\s+(.*)")
_ITEM = re.compile(r"(?:[-*]|\d+\.)\s+(.*)")


def prose_html(text: str) -> str:
    """Headings (`#` and `##` become h2), paragraphs, lists (`-`, `*`, `1.`), `code` and **bold**, all escaped.

    A line goes on with the paragraph or item above it until a blank line ends it.

    Example:
        >>> print(prose_html("# What holds\\n\\nAUC **rose** < 1.\\n- one\\n- two"))
        <h2>What holds</h2>
        <p>AUC <b>rose</b> &lt; 1.</p>
        <ul>
        <li>one</li>
        <li>two</li>
        </ul>
    """
    parts: list[tuple[str, str]] = []
    goes_on = False
    for line in text.splitlines():
        tag, content = _block(line)
        if tag == "p" and goes_on:
            before, begun = parts[-1]
            parts[-1] = before, f"{begun} {content}"
        elif tag:
            parts.append((tag, content))
        goes_on = tag in ("p", "ul", "ol")
    return _joined(parts)


def _block(line: str) -> tuple[str, str]:
    """Tag (empty for a blank line) and content."""
    bare = line.strip()
    if heading := _HEADING.fullmatch(bare):
        return f"h{min(4, max(2, len(heading[1])))}", heading[2]
    if item := _ITEM.fullmatch(bare):
        return ("ol" if bare[0].isdigit() else "ul"), item[1]
    return ("p" if bare else ""), bare


def _joined(parts: list[tuple[str, str]]) -> str:
    lines: list[str] = []
    for tag, group in groupby(parts, key=lambda part: part[0]):
        contents = [_inline(content) for _, content in group]
        if tag in ("ul", "ol"):
            lines += [f"<{tag}>", *(f"<li>{content}</li>" for content in contents), f"</{tag}>"]
        else:
            lines += [f"<{tag}>{content}</{tag}>" for content in contents]
    return "\n".join(lines)


def _inline(text: str) -> str:
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
    return re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", safe)
