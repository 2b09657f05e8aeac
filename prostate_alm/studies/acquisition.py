"""How a study was acquired: geometry and timing of what is used, by which one that is unlike the training is known."""

from collections.abc import Mapping
from typing import Any

from prostate_alm.studies.bvalues import CANONICAL_B_VALUES
from prostate_alm.studies.selection.verdicts import Selection
from prostate_alm.studies.volumes import Volume

FIGURES = (
    *(f"spacing_{axis}_mm" for axis in "xyz"),
    *(f"extent_{axis}_mm" for axis in "xyz"),
    "slices",
    "echo_time_ms",
    "repetition_time_ms",
)
"""What is recorded of the T2 and of the DWI: x from column to column of an image, y from row to row, z across."""

ACQUIRED = tuple(f"{sequence}_{figure}" for sequence in ("t2w", "dwi") for figure in FIGURES)
"""The figures of a whole study."""


def acquisition_of(selection: Selection, volumes: Mapping[str, Volume]) -> dict[str, Any]:
    """Spacing, coverage, slices, echo and repetition time of T2 and DWI, and the acquired b-values above 0.

    Args:
        selection: what is used.
        volumes: of the study, by sequence name; the first DWI stands for all, which share one grid and timing.

    Returns:
        `t2w_<figure>` and `dwi_<figure>` for each of `FIGURES`, None where the study does not state it, and `b_values`
        in s/mm^2. A sequence that could not be read is left out.
    """
    record: dict[str, Any] = {}
    chosen = {"t2w": ("t2w", selection.t2)} if selection.t2 else {}
    acquired = [b for b in sorted(selection.dwi) if f"dwi_b{b}" in volumes]
    if acquired:
        chosen["dwi"] = (f"dwi_b{acquired[0]}", selection.dwi[acquired[0]])
    for name, (volume, choice) in chosen.items():
        if choice is not None and volume in volumes:
            image = choice.images[0]
            timing = {"echo_time_ms": image.echo_time_ms, "repetition_time_ms": image.repetition_time_ms}
            record |= {f"{name}_{figure}": value for figure, value in (_geometry(volumes[volume]) | timing).items()}
    return record | {"b_values": [b for b in acquired if b > 0]}


def protocol_of(acquisition: Mapping[str, Any], harmonised: bool) -> str:
    """Which b-values the network's images come from, in words; further acquired b-values change nothing.

    Args:
        acquisition: of `acquisition_of`.
        harmonised: whether an image was computed by the fit.

    Example:
        >>> protocol_of({"b_values": [100, 600, 1000, 1500]}, False), protocol_of({"b_values": [50, 400]}, True)
        ('b 100, 600, 1000 as acquired', 'b 50, 400 harmonised')
    """
    acquired = [b for b in acquisition.get("b_values", ()) if harmonised or b in CANONICAL_B_VALUES]
    return f"b {', '.join(map(str, acquired)) or 'none'} {'harmonised' if harmonised else 'as acquired'}"


def _geometry(volume: Volume) -> dict[str, Any]:
    spacing, shape = volume.spacing_mm, volume.voxels.shape
    figures: dict[str, Any] = {}
    for axis, step, count in zip("xyz", spacing, shape, strict=True):
        figures |= {f"spacing_{axis}_mm": round(step, 4), f"extent_{axis}_mm": round(step * count, 2)}
    return figures | {"slices": int(shape[2])}
