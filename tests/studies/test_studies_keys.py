"""Salted keys and where the salt lives."""

import hashlib
import hmac

import pytest

from prostate_alm.errors import OutputError, UsageError
from prostate_alm.studies import Keys, keys

SALT = b"a salt for the tests"


def test_a_key_is_the_hmac_of_the_identifier():
    expected = hmac.new(SALT, b"study\x001.2.840.1", hashlib.sha256).hexdigest()
    assert expected.startswith(Keys(SALT).study("1.2.840.1"))
    assert len(Keys(SALT).study("1.2.840.1")) >= 16


def test_keys_depend_on_salt_and_kind():
    one, other = Keys(SALT), Keys(SALT + b"!")
    assert len({one.study("1"), other.study("1"), one.patient("1"), other.patient("1"), one.study("2")}) == 5


def test_the_salt_does_not_show():
    assert "salt for" not in repr(Keys(SALT))


def test_a_short_salt_is_refused():
    with pytest.raises(UsageError, match="at least 16"):
        Keys(b"short")


def test_the_environment_wins(monkeypatch):
    monkeypatch.setenv("PROSTATE_ALM_SALT", SALT.decode())
    assert Keys.of_site() == Keys(SALT)


@pytest.fixture
def salt_file(monkeypatch, tmp_path):
    monkeypatch.delenv("PROSTATE_ALM_SALT", raising=False)
    path = tmp_path / "config" / "salt"
    monkeypatch.setattr(keys, "_salt_file", lambda: path)
    return path


def test_the_salt_is_made_once_and_kept_private(salt_file):
    first = Keys.of_site()
    assert Keys.of_site() == first
    assert salt_file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in salt_file.parent.iterdir()] == ["salt"]


def test_a_salt_that_others_may_read_is_refused(salt_file):
    Keys.of_site()
    salt_file.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        Keys.of_site()


def test_a_damaged_salt_is_refused(salt_file):
    Keys.of_site()
    salt_file.write_text("not hexadecimal")
    with pytest.raises(UsageError, match="damaged"):
        Keys.of_site()


def test_a_salt_that_cannot_be_kept_is_an_output_error(salt_file):
    salt_file.parent.write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="PROSTATE_ALM_SALT"):
        Keys.of_site()


def test_a_digest_follows_salt_and_text_and_is_no_key():
    expected = hmac.new(SALT, b"digest\x00some text", hashlib.sha256).hexdigest()
    assert Keys(SALT).digest("some text") == expected
    assert len({Keys(SALT).digest("1"), Keys(SALT).digest("2"), Keys(SALT + b"!").digest("1")}) == 3
    assert not Keys(SALT).digest("1").startswith(Keys(SALT).study("1"))


def test_half_characters_have_keys():
    """Python has them in the name of a folder that is no UTF-8."""
    assert len({Keys(SALT).study(f"unreadable:M{letter}ller") for letter in ("\udcfc", "\udcf6", "\ud800", "u")}) == 4
