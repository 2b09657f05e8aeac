"""Tensors on disk: whole or not at all, and the same bytes for the same content."""

import io
from pathlib import Path
from typing import Any

import torch

from prostate_alm.files import whole_file


def save_tensors(path: Path | str, content: Any) -> Path:
    """`torch.save` into a file that appears whole.

    Given a path, torch writes the file's name into the archive and tells of a full disk as a `RuntimeError`; through
    memory the bytes depend on the content alone, so that their hash can be compared between runs.

    Raises:
        OutputError: if the file system refuses (read-only, full).
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with whole_file(path) as part:
        part.write_bytes(buffer.getbuffer())
    return Path(path)
