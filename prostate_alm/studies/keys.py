"""Salted public keys in place of DICOM identifiers."""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from prostate_alm.errors import OutputError, UsageError

ENVIRONMENT = "PROSTATE_ALM_SALT"
MIN_SALT_BYTES = 16


@dataclass(frozen=True)
class Keys:
    """Turns identifiers into keys that nobody without the site's salt can turn back: HMAC-SHA-256 (RFC 2104).

    Args:
        salt: the site's secret, at least 16 bytes.

    Raises:
        UsageError: if the salt is too short.

    Example:
        >>> Keys(b"only for this example").study("1.2.3") == Keys(b"only for this example").study("1.2.3")
        True
    """

    salt: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.salt) < MIN_SALT_BYTES:
            raise UsageError(f"the site's salt has {len(self.salt)} bytes; give at least {MIN_SALT_BYTES}")

    @classmethod
    def of_site(cls) -> "Keys":
        """The keys of this site: the salt of $PROSTATE_ALM_SALT, or of a private file made at first use.

        Raises:
            UsageError: if the salt is too short, or others may read its file.
            OutputError: if the file cannot be made.
        """
        if text := os.environ.get(ENVIRONMENT):
            return cls(text.encode())
        path = _salt_file()
        try:
            if not path.exists():
                _create(path)
            if os.name == "posix" and path.stat().st_mode & 0o077:
                raise UsageError(f"others may read the site's salt {path}; run: chmod 600 {path}")
            return cls(bytes.fromhex(path.read_text(encoding="ascii").strip()))
        except OSError as error:
            raise OutputError(f"cannot keep the site's salt in {path}: {error.strerror}; set ${ENVIRONMENT}") from error
        except ValueError as error:
            raise UsageError(f"the site's salt {path} is damaged; restore it, or set ${ENVIRONMENT}") from error

    def study(self, uid: str) -> str:
        """The public key of a StudyInstanceUID, 20 hexadecimal digits."""
        return self._key("study", uid)

    def patient(self, patient_id: str) -> str:
        """The public key of a PatientID, 20 hexadecimal digits."""
        return self._key("patient", patient_id)

    def digest(self, text: str) -> str:
        """HMAC-SHA-256 of any text with the site's salt, 64 hexadecimal digits: nobody can guess back.

        Example:
            >>> len(Keys(b"only for this example").digest("1.2.3"))
            64
        """
        return self._hmac(f"digest\0{text}")

    def _key(self, kind: str, identifier: str) -> str:
        return self._hmac(f"{kind}\0{identifier}")[:20]

    def _hmac(self, text: str) -> str:
        # a folder's name need not be UTF-8, and Python then gives it half characters
        return hmac.new(self.salt, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _salt_file() -> Path:
    import typer

    return Path(typer.get_app_dir("prostate-alm")) / "salt"


def _create(path: Path) -> None:
    """Write a new salt, mode 0600; if another process was quicker, its salt stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{os.getpid()}.salt")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        if not path.exists():
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)
