"""Programs of the system that judge and read DICOM: dciodvfy (Debian dicom3tools), dsrdump and dcm2pdf (dcmtk)."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAMS = ("dciodvfy", "dsrdump", "dcm2pdf")
KNOWN_WARNINGS = (
    r"Unrecognized defined term <99PROSTALM>",  # a private scheme is one that no list has
    r"would be needed to build DICOMDIR",  # the source lacks it as well
    r"Retired Person Name form",  # the source's own way to write it
)
"""What dciodvfy remarks on and cannot be helped."""


def needs(program: str) -> pytest.MarkDecorator:
    """Skip where a program is not installed."""
    assert program in PROGRAMS
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def remarks(path: Path) -> list[str]:
    """The errors of dciodvfy, and its warnings beside the known ones."""
    run = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, errors="replace", check=False)
    lines = set((run.stdout + run.stderr).splitlines())
    known = re.compile("|".join(KNOWN_WARNINGS))
    return sorted(line for line in lines if re.match("Error|Warning|Abort", line) and not known.search(line))


def dump(path: Path) -> str:
    """The document as dsrdump reads it; fails if it cannot or if it complains."""
    run = subprocess.run(["dsrdump", "+Pl", str(path)], capture_output=True, text=True, errors="replace", check=False)
    known = "does not support this Specific Character Set"  # UTF-8 is read, its letters are only not checked
    complaints = [line for line in run.stderr.splitlines() if known not in line]
    assert run.returncode == 0, run.stderr
    assert not complaints, run.stderr
    return run.stdout


def unwrapped(path: Path, folder: Path) -> bytes:
    """The PDF inside, as dcm2pdf takes it out."""
    out = folder / "unwrapped.pdf"
    subprocess.run(["dcm2pdf", str(path), str(out)], capture_output=True, check=True)
    return out.read_bytes()
