"""Volume files, written by nibabel and SimpleITK, so that a test can spoil them."""

import json
from collections.abc import Sequence
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
AXIAL_TURNS = [(axes, flips) for axes in permutations(range(3)) for flips in product((False, True), repeat=3)]
"""Every order and direction of three axes."""


def turned(
    voxels: np.ndarray, affine: np.ndarray, axes: Sequence[int], flips: Sequence[bool]
) -> tuple[np.ndarray, np.ndarray]:
    """The same volume on other axes: new axis n is old axis `axes[n]`, then reversed if `flips[n]`."""
    turned_affine = affine.copy()
    turned_affine[:3, :3] = affine[:3, list(axes)]
    voxels = voxels.transpose((*axes, *range(3, voxels.ndim)))
    for axis, flip in enumerate(flips):
        if flip:
            voxels = np.flip(voxels, axis)
            turned_affine[:3, 3] += turned_affine[:3, axis] * (voxels.shape[axis] - 1)
            turned_affine[:3, axis] *= -1
    return voxels, turned_affine


def write(path: Path, voxels: np.ndarray, affine: np.ndarray) -> Path:
    """Write in the format of the ending; the affine is that of NIfTI, index -> RAS mm."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith((".nii", ".nii.gz")):
        image = nibabel.Nifti1Image(voxels, affine, dtype=voxels.dtype)
        image.header.set_xyzt_units("mm", "sec")
        image.set_sform(affine, code=1)
        image.set_qform(affine, code=1)
        image.to_filename(path)
    else:
        write_itk(path, voxels, affine)
    return path


def write_itk(path: Path, voxels: np.ndarray, affine: np.ndarray, *, compress: bool = True) -> Path:
    """Write a 3D volume with SimpleITK."""
    lps = LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(voxels.T))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    SimpleITK.WriteImage(image, str(path), compress)
    return path


def beside(path: Path, *, b_values: Sequence[float] | str | None = None, sidecar: dict[str, Any] | None = None) -> Path:
    """Put a `.bval` and a JSON sidecar beside a volume file."""
    stem = path.name.removesuffix(".gz").rpartition(".")[0]
    if b_values is not None:
        text = b_values if isinstance(b_values, str) else " ".join(f"{b:g}" for b in b_values)
        path.with_name(f"{stem}.bval").write_text(f"{text}\n")
    if sidecar is not None:
        path.with_name(f"{stem}.json").write_text(json.dumps(sidecar))
    return path
