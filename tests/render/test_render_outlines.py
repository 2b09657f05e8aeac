import numpy as np
import pytest
from PIL import Image

from prostate_alm.render.outlines import ORANGE, outlined


def square(size=60, first=20, last=40):
    inside = np.zeros((size, size), bool)
    inside[first:last, first:last] = True
    return inside


def test_the_line_runs_along_the_inner_edge_and_covers_nothing_else():
    picture = Image.new("L", (60, 60), 100)
    drawn = np.asarray(outlined(picture, square()))
    line = (drawn == ORANGE).all(axis=-1)
    edge = square() & ~square(first=21, last=39)
    assert np.array_equal(line, edge)
    rim = (drawn == 0).all(axis=-1)
    assert rim[19, 30]
    assert rim[21, 30]
    untouched = ~(line | rim)
    assert (drawn[untouched] == 100).all()
    assert untouched[30, 30]


@pytest.mark.parametrize("inside", [np.zeros((60, 60), bool), np.ones((60, 60), bool)], ids=["nothing", "everything"])
def test_without_an_edge_there_is_no_line(inside):
    assert (np.asarray(outlined(Image.new("L", (60, 60), 7), inside)) == 7).all()


@pytest.mark.parametrize("grey", [0, 64, 128, 192, 255])
def test_in_greyscale_line_or_rim_stands_out(grey):
    drawn = np.asarray(outlined(Image.new("L", (60, 60), grey), square()).convert("L")).astype(int)
    assert np.abs(drawn - grey).max() > 60
