"""One mutation at work: a private copy of a source, and the tools that mutations share."""

import os
import random
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset


class NotApplicableError(Exception):
    """This source has nothing that the mutation could change."""


@dataclass
class Case:
    """A copy of a source to be spoilt.

    Args:
        work: a folder of its own, empty.
        source: the folder that is copied; its files are linked and never written to.
        others: other sources, to take strange files from.
        random: the only source of chance.
    """

    work: Path
    source: Path
    others: tuple[Path, ...]
    random: random.Random
    note: str = ""
    root: Path = field(init=False)
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.folder = self.work / "study"
        shutil.copytree(self.source, self.folder, copy_function=os.link)
        self.files = sorted(path for path in self.folder.rglob("*") if path.is_file())

    def put(self, path: Path, content: bytes) -> None:
        """Write a file anew; the link to the source is cut first."""
        path.unlink(missing_ok=True)
        path.write_bytes(content)

    def image(self, *, least_bytes: int = 200) -> Path:
        """Any file that may be an image."""
        files = [path for path in self.files if path.stat().st_size >= least_bytes and path.suffix not in _OTHER]
        if not files:
            raise NotApplicableError
        return self.random.choice(files)

    def series(self, at_least: int = 2) -> list[Path]:
        """The files of any folder with enough of them."""
        folders = sorted({path.parent for path in self.files})
        many = [files for folder in folders if len(files := [p for p in self.files if p.parent == folder]) >= at_least]
        if not many:
            raise NotApplicableError
        return self.random.choice(many)

    def dataset(self, path: Path) -> Dataset:
        """A file as pydicom has it."""
        try:
            dataset = pydicom.dcmread(path, force=True)
        except Exception as error:
            raise NotApplicableError from error
        if "SOPClassUID" not in dataset:
            raise NotApplicableError
        return dataset

    def save(self, path: Path, dataset: Dataset) -> None:
        """Write a data set back, whatever it holds."""
        path.unlink(missing_ok=True)
        try:
            dataset.save_as(path, enforce_file_format=False)
        except Exception as error:
            raise NotApplicableError from error


_OTHER = {".json", ".txt", ".md", ".bval", ".bvec"}


def clean(folder: Path) -> None:
    """Remove a folder, also what is deeper in it than Python can remove."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except (RecursionError, OSError):
        subprocess.run(["rm", "-rf", str(folder)], check=True)
