"""dcm2niix as an oracle: where it is, one run of it, and what it wrote."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np

PINNED, DEBIAN = 20260724, 20220720
"""What each of these versions reads is known: the wheel in constraints.txt, and the package of Debian 12."""
# no defaults of this machine (-g i); echoes and orientations apart (-m n); 3D neither cropped nor turned (-x i);
# integers as they are (-l o); Philips' precise values (-p y); this folder alone (-d 0), as the same series lies in
# several and dcm2niix drops duplicates
FLAGS = ("-g", "i", "-b", "y", "-z", "n", "-m", "n", "-x", "i", "-l", "o", "-p", "y", "-d", "0", "-f", "%s")


@dataclass(frozen=True)
class Converted:
    """One series of dcm2niix: its volumes and its b-values, by b-value and then in its own order."""

    volumes: list[nibabel.Nifti1Image]
    b_values: list[float]

    @classmethod
    def load(cls, path: Path) -> "Converted":
        image = nibabel.load(path)
        beside = path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".bval")
        b_values = [float(value) for value in beside.read_text().split()] if beside.exists() else []
        volumes = nibabel.four_to_three(image) if image.ndim == 4 else [image]
        order = sorted(range(len(volumes)), key=lambda index: b_values[index] if b_values else 0.0)
        return cls([volumes[index] for index in order], sorted(b_values))


def binaries() -> dict[str, str]:
    """Every dcm2niix there is: the wheel of this environment, and another on the PATH."""
    found: dict[str, str] = {}
    try:
        import dcm2niix
    except ImportError:
        pass
    else:
        found["wheel"] = dcm2niix.bin
    other = shutil.which("dcm2niix")
    if other is not None and Path(other).parent != Path(sys.executable).parent:  # there it only calls the wheel's
        found["path"] = other
    return found


def version_of(binary: str) -> int:
    """Its date, such as 20220720."""
    start = subprocess.run([binary, "-h"], capture_output=True, text=True, check=False).stdout
    stated = re.search(r"v1\.0\.(\d{8})", start)
    return int(stated[1]) if stated else 0


def convert(binary: str, place: Path, out: Path) -> dict[int, Converted]:
    """SeriesNumber -> what dcm2niix makes of a folder or of one file."""
    alone = ("-s", "y") if place.is_file() else ()
    # its code is not 0 where one file of many fails
    subprocess.run([binary, *FLAGS, *alone, "-o", str(out), str(place)], capture_output=True, check=False)
    found: dict[int, Converted] = {}
    for path in sorted(out.glob("*.json")):  # a resampled copy (Tilt, Eq) has no sidecar
        number = json.loads(path.read_text()).get("SeriesNumber")
        if number is None:  # of an image that it could not decode, Debian's leaves a single voxel
            continue
        assert number not in found, f"series {number} in two files: the table must tell them apart"
        found[number] = Converted.load(path.with_suffix(".nii"))
    return found


def reorient(image: nibabel.Nifti1Image, affine: np.ndarray) -> nibabel.Nifti1Image:
    """An image on the axes of another affine: only flips and permutations."""
    turn = nibabel.orientations.ornt_transform(nibabel.io_orientation(image.affine), nibabel.io_orientation(affine))
    return image.as_reoriented(turn)
