import logging
import warnings

import pytest
from pydicom.uid import UID

from prostate_alm.studies.dicom.quiet import quiet


def test_pydicom_says_nothing_and_says_it_again_afterwards(caplog):
    with quiet():
        UID("Doe^John")
    assert caplog.text == ""
    with pytest.warns(UserWarning, match=r"Doe\^John"):
        UID("Doe^John")
    assert "Doe^John" in caplog.text


@pytest.mark.parametrize("propagate", [True, False])
def test_what_was_set_before_is_set_afterwards(monkeypatch, propagate):
    monkeypatch.setattr(logging.getLogger("pydicom"), "propagate", propagate)
    filters = list(warnings.filters)
    with pytest.raises(KeyError), quiet():
        raise KeyError
    assert logging.getLogger("pydicom").propagate is propagate
    assert warnings.filters == filters
