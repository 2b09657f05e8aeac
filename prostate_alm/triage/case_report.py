"""One study on one page, as PDF: the decision, what it rests on, and pictures. It names no patient."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from prostate_alm.render.pdf import typeset
from prostate_alm.triage.decision import SERIES, Decision
from prostate_alm.triage.words import PRELIMINARY, RESEARCH_ONLY, headline, what_to_do

if TYPE_CHECKING:
    from prostate_alm.studies import Volume
    from prostate_alm.triage.saliency import SaliencyMap

TITLE = "Prostate MRI: is contrast (DCE) needed?"
_SLICE_NOTE = (
    "The slice is where diffusion at b 1000 shines most, or the middle one; that does not mean that a lesion is there."
)
_PIXELS = 400
_INPUTS = {"t2": "T2", "b100": "DWI b100", "b600": "DWI b600", "b1000": "DWI b1000"}
_LONGEST = {"name": 90, "series": 60, "source": 40, "notice": 200, "promise": 500}
"""Letters that a text may have: what is longer has no room on one page."""


@dataclass(frozen=True)
class Picture:
    """A picture for the page.

    Args:
        png: its bytes.
        caption: what it shows, in words.
    """

    png: bytes
    caption: str


@dataclass(frozen=True)
class Pictures:
    """The pictures of a page.

    Args:
        rows: from top to bottom, each from left to right; two rows of two at most.
        notes: what must be known about them.
    """

    rows: tuple[tuple[Picture, ...], ...] = ()
    notes: tuple[str, ...] = ()


def case_report(decision: Decision, pictures: Pictures | None = None) -> bytes:
    """The page as PDF; the same input gives the same bytes. One page always.

    Reasons that do not fit are counted, never silently cut; all of them stand in the JSON and the structured report.

    Args:
        decision: of the study.
        pictures: None says that there are none.
    """
    pictures = pictures or Pictures()
    files: dict[str, bytes] = {}
    rows: list[list[dict[str, str]]] = []
    for row in pictures.rows:
        rows.append([])
        for picture in row:
            name = f"picture{len(files)}.png"
            files[name] = picture.png
            rows[-1].append({"file": name, "caption": picture.caption})
    content = _content(decision) | {"pictures": rows, "pictures_notes": list(pictures.notes)}
    return typeset("prostate_alm.triage", "case.typ", content, files)


def study_pictures(volumes: "Mapping[str, Volume]", saliency: "SaliencyMap | None" = None) -> Pictures:
    """T2 and the diffusion of the highest b-value at one place; with a map, both again where it is highest.

    Args:
        volumes: sequence name -> volume; one that is missing is left out.
        saliency: of the study.
    """
    from prostate_alm.render.pictures import View, key_pictures

    diffusion = sorted((name for name in volumes if name.startswith("dwi_b")), key=lambda name: int(name[5:]))
    view = View(sequences=("t2w", *diffusion[-1:]), pixels=_PIXELS)
    rows = [key_pictures(volumes, view)]
    notes = [_SLICE_NOTE]
    if saliency is not None and saliency.highest > 0:
        level = saliency.highest / 2
        rows.append(
            key_pictures(volumes, replace(view, at_mm=saliency.peak_mm, outline=saliency.volume, outline_level=level))
        )
        notes.append(f"{saliency.explanation} The largest fall is {saliency.highest:.3f}, the line runs at half of it.")
    elif saliency is not None:
        notes.append("Saliency: nowhere does the logit fall when the detail is blurred away, so no line is drawn.")
    shown = tuple(tuple(Picture(one.png, one.caption) for one in row) for row in rows if row)
    return Pictures(shown, tuple(notes) if shown else ())


def _content(decision: Decision) -> dict[str, Any]:
    threshold = float(decision.threshold["value"])
    model = decision.model
    return {
        "title": TITLE,
        "study": f"study {decision.study_key}",
        "research_only": f"{RESEARCH_ONLY} {PRELIMINARY}",
        "warnings": [f"Warning: {_short(decision.notice, 'notice')}"] if decision.notice else [],
        "headline": headline(decision),
        "what_to_do": what_to_do(decision),
        "logit": "" if decision.logit is None else f"{decision.logit:.3f}",
        "threshold": f"{threshold:.3f}",
        "line": None if decision.logit is None else _line(decision.logit, threshold),
        "promise": f"Threshold: {_short(decision.threshold['promise'], 'promise')}",
        "reasons": list(decision.reasons),
        "series": [_row(name, decision.series_used.get(name)) for name in SERIES],
        "provenance": [
            f"Model: {_short(model['name'])}, version {_short(model['version'])}, weights SHA-256 {model['sha256']}",
            f"Software: prostate-alm {decision.software_version}",
            f"b-values harmonised: {_harmonised(decision)}",
            f"Rules: {_rules(decision)}",
        ],
    }


def _line(logit: float, threshold: float) -> dict[str, float]:
    """Places of both on a line from 0 to 1; its scale follows their distance, so that both are always on it."""
    half = max(2.0, 1.25 * abs(logit - threshold))
    return {"threshold": 0.5, "logit": 0.5 + 0.5 * (logit - threshold) / half}


def _row(name: str, used: Mapping[str, Any] | None) -> dict[str, str]:
    if not used:
        return {"input": _INPUTS[name], "description": "missing", "b": "", "source": ""}
    b = used.get("b")
    return {
        "input": _INPUTS[name],
        "description": _short(used.get("description") or "no description", "series"),
        "b": "" if b is None else f"{b:g}",
        "source": _short(used.get("source_tag") or "", "source"),
    }


def _harmonised(decision: Decision) -> str:
    if not decision.harmonised:
        return "no, all are acquired"
    return "yes, computed from the acquired ones by a mono-exponential fit"


def _rules(decision: Decision) -> str:
    changed = decision.rules.get("changed", [])
    return f"the site's own in {_short(', '.join(changed))}" if changed else "the defaults"


def _short(text: Any, kind: str = "name") -> str:
    text = " ".join(str(text).split())
    return text if len(text) <= _LONGEST[kind] else text[: _LONGEST[kind] - 3] + "..."
