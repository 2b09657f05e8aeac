"""Who made a DICOM output, and the UIDs that it gets: the same for the same content, so that copies do not pile up."""

import json
from typing import Any

from pydicom.uid import UID, generate_uid

from prostate_alm.triage.decision import Decision

MANUFACTURER = "prostate_alm maintainers"
DEVICE = "prostate-alm"
SERIES_NUMBERS = {"sr": 9801, "pdf": 9802}
"""Far behind what scanners number."""


def uid_of(*parts: Any) -> UID:
    """A UID that follows from its parts alone.

    Example:
        >>> uid_of("1.2.3", "sr") == uid_of("1.2.3", "sr"), uid_of("1.2.3", "sr") == uid_of("1.2.3", "pdf")
        (True, False)
    """
    return generate_uid(entropy_srcs=[json.dumps(parts, sort_keys=True)])


def made_by(decision: Decision) -> dict[str, Any]:
    """The equipment: this software with these weights."""
    return {
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": DEVICE,
        "software_versions": decision.software_version,
        "device_serial_number": f"model {decision.model['sha256'][:12]}",
    }


def numbers(kind: str, study_uid: str, content: Any) -> dict[str, Any]:
    """UIDs and numbers of one output, a series of its own.

    Args:
        kind: `sr` or `pdf`.
        study_uid: StudyInstanceUID.
        content: what the output says, as JSON can hold it.
    """
    return {
        "series_instance_uid": uid_of(study_uid, kind, "series", content),
        "sop_instance_uid": uid_of(study_uid, kind, "instance", content),
        "series_number": SERIES_NUMBERS[kind],
        "instance_number": 1,
    }
