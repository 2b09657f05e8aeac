"""The choice of the common settings, written."""

from prostate_alm.cifar10.settings_table import Tried, markdown, write_settings


def test_the_choices_are_a_table(tmp_path):
    choices = [Tried("dropout", "0.5", 96.123, 0.5, 0.25, 200.0, 21.4, False)]
    path = write_settings(tmp_path / "settings.csv", choices)
    assert path.read_text().splitlines() == [
        "step,candidate,validation_auc,below_best,standard_error,epochs,seconds,chosen",
        "dropout,0.5,96.123,0.5,0.25,200.0,21.4,False",
    ]
    assert "| dropout | 0.5 | 96.12 | 0.50 | 0.25 | 200 | 21.4 |  |" in markdown(choices)
