"""Who was scanned, and the identifiers that follow from it."""

import hashlib
from dataclasses import dataclass

from pydicom.uid import PYDICOM_ROOT_UID, UID, generate_uid


@dataclass(frozen=True)
class Identity:
    """Who was scanned when; all of it made up.

    Args:
        key: what every identifier of the study is made from.
        patient_name: for example `PHANTOM^0001`.
        patient_id: differs between cohorts of different seeds.
        accession: at most 16 characters.
        b_values: the acquired b-values in s/mm2, for the names of sequences.
    """

    key: str
    patient_name: str
    patient_id: str
    accession: str
    b_values: tuple[int, ...]

    def uid(self, *parts: object) -> UID:
        """A UID under pydicom's root that the key and the parts decide."""
        return generate_uid(prefix=PYDICOM_ROOT_UID, entropy_srcs=[self.key, *(str(part) for part in parts)])

    def file_name(self, *parts: object) -> str:
        """Sixteen characters without meaning.

        Example:
            >>> Identity("key", "PHANTOM^0001", "PHANTOM-0-0001", "PH0-0001", (100, 600)).file_name(3, 1)
            '233DB5204571AE0B'
        """
        return hashlib.sha256("/".join([self.key, *(str(part) for part in parts)]).encode()).hexdigest()[:16].upper()
