"""A page in headless Chromium, with everything that it says and asks for while a test looks at it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on the PATH (Debian: chromium)")


@dataclass
class Watched:
    """An open page.

    Args:
        page: Playwright's page.
        said: messages on the console that are warnings or errors, and uncaught exceptions.
        requests: addresses of everything that the page asked for.
    """

    page: Any
    said: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium of the system."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


@contextmanager
def opened(started: Any, path: Path, *, width: int = 1280, height: int = 900, **options: Any) -> Iterator[Watched]:
    """A file in a new window.

    Args:
        started: from `browser`.
        path: of the page.
        width, height: of the window, in pixels.
        options: for Playwright's `new_context`, such as `java_script_enabled`.
    """
    context = started.new_context(viewport={"width": width, "height": height}, **options)
    watched = Watched(context.new_page())
    watched.page.on("console", lambda message: _keep(watched, message))
    watched.page.on("pageerror", lambda error: watched.said.append(str(error)))
    watched.page.on("request", lambda request: watched.requests.append(request.url))
    try:
        watched.page.goto(path.resolve().as_uri())
        yield watched
    finally:
        context.close()


def _keep(watched: Watched, message: Any) -> None:
    if message.type in ("warning", "error"):
        watched.said.append(message.text)
