"""The page of real scanner files in the documentation."""

import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.shared_data
TOOL = Path(__file__).parents[2] / "tools" / "make_real_files_page.py"


def test_the_page_shows_what_is_found_in_the_real_files(shared):
    tool = runpy.run_path(str(TOOL))
    written = tool["PAGE"].read_text(encoding="utf-8")
    assert tool["page"](shared / "data" / "mri") == written, f"run: python {TOOL.name}"


def test_it_shows_every_folder(shared):
    mri = shared / "data" / "mri"
    tool = runpy.run_path(str(TOOL))
    covered = {path for folder in tool["folders"](mri) for path in (folder, *folder.parents)}
    holders = {path.parent for path in mri.rglob("*") if path.is_file() and path.name not in ("LICENSE", "README.md")}
    assert all(any(folder in covered for folder in (holder, *holder.parents)) for holder in holders)
