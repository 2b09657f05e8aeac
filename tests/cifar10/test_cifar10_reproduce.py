"""A row of Table 2 from images to text, through the bundle's trainer."""

from dataclasses import replace

import numpy as np
import pytest

from prostate_alm.bundle import find_bundle
from prostate_alm.cifar10.protocol import Scale
from prostate_alm.cifar10.reproduce import SMOKE, Row, paper_constraint, reproduce_row
from prostate_alm.cifar10.results import load_results
from prostate_alm.cifar10.tables import markdown_table, table_rows
from prostate_alm.cli import console
from prostate_alm.cli.app import app

TINY = Row("BCE", "1:2", members=2, scale=Scale(8, 4, 4), epochs=2, constrained_epochs=2)


def test_a_row_has_three_arms_and_is_not_computed_twice(layout, tmp_path):
    lines: list[str] = []
    first = reproduce_row(layout, tmp_path / "out", TINY, processes=1, progress=lines.append)
    assert [result.arm for result in first] == ["base", "continued", "alm"]
    assert len(lines) == 2
    again = reproduce_row(layout, tmp_path / "out", TINY, processes=1, progress=lines.append)
    assert len(lines) == 2
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.test_logits, other.test_logits)
    assert len(load_results(tmp_path / "out")) == 3
    text = markdown_table(table_rows(first, 2), 2)
    assert "94.67" in text
    assert "continued" in text


def test_other_settings_are_computed_anew(layout, tmp_path):
    lines: list[str] = []
    reproduce_row(layout, tmp_path / "out", TINY, processes=1, progress=lines.append)
    reproduce_row(layout, tmp_path / "out", replace(TINY, seed=1), processes=1, progress=lines.append)
    assert len(lines) == 4


def test_the_constraint_of_a_row_is_the_papers():
    assert paper_constraint(SMOKE) == {"penalty": 0.2, "growth": 4.0, "margin": 2.0}
    with pytest.raises(KeyError, match="1:7"):
        paper_constraint(Row("BCE", "1:7"))


def test_both_bundles_share_the_constrained_stage():
    mri, cifar = (find_bundle(name) for name in ("prostate_dce_classification", "cifar10_alm_classification"))
    assert (mri / "configs" / "alm.json").read_text() == (cifar / "configs" / "alm.json").read_text()


def test_only_the_small_scale_is_offered_and_missing_images_are_named(tmp_path, capsys):
    def run(*arguments: object) -> int:
        return console.guarded(lambda: app(["cifar10", "reproduce", *map(str, arguments)]))

    assert run("--data", tmp_path, "--out", tmp_path / "out") == 2
    assert run("--data", tmp_path, "--out", tmp_path / "out", "--smoke") == 4
    assert str(tmp_path) in capsys.readouterr().err.replace("\n", "")
