import io

import numpy as np
import pypdfium2
import pytest
from decided import make_decision
from PIL import Image

from prostate_alm.studies import Volume
from prostate_alm.triage.case_report import Picture, Pictures, case_report, study_pictures
from prostate_alm.triage.saliency import SaliencyMap

A4_POINTS = (595, 842)
LONG = "an identifier_that_is_long = 1.234 is outside [5.678, 9.012]; " * 6
MARKUP = '#let x; *b* _i_ $x$ <script>alert("1")</script> @r // `c` [a]'


def png(colour=128):
    buffer = io.BytesIO()
    Image.new("L", (40, 40), colour).save(buffer, format="PNG")
    return buffer.getvalue()


FOUR = Pictures(
    tuple((Picture(png(), f"left {row}"), Picture(png(9), f"right {row}")) for row in range(2)), ("a note",)
)


def opened(pdf):
    """Its only page, and the text on it in one line."""
    document = pypdfium2.PdfDocument(pdf)
    assert len(document) == 1
    return document[0], " ".join(document[0].get_textpage().get_text_bounded().split())


def squeezed(text):
    return "".join(text.split())


@pytest.mark.parametrize(
    ("changes", "headline", "advice"),
    [
        ({}, "DCE not required", "may be left out, if the radiologist agrees"),
        ({"logit": -1.0}, "DCE required", "Acquire the contrast series"),
        ({"logit": None, "reasons": ("T2 is missing",)}, "Undecided", "Treat as DCE required"),
    ],
)
def test_the_page_says_decision_and_what_to_do(changes, headline, advice):
    _, text = opened(case_report(make_decision(**changes)))
    assert headline in text
    assert advice in text
    assert "Research use only. Not a medical device." in text


def test_the_page_says_what_the_decision_rests_on():
    decision = make_decision(notice="demo weights", reasons=("another vendor",), harmonised=True, logit=-2.345678,
                             rules={"fingerprint": "f", "changed": ["checks.min_slices"]})  # fmt: skip
    _, text = opened(case_report(decision))
    for words in (
        "logit -2.346", "threshold -1.250", "certified: a promise", "Warning: demo weights", "another vendor",
        "series of b600", "600", "a model, version 1.2.3", "prostate-alm 9.9", "harmonised: yes", decision.study_key,
        "site's own in checks.min_slices",
    ):  # fmt: skip
        assert words in text
    assert decision.model["sha256"] in squeezed(text)


def test_a_missing_series_is_called_missing():
    _, text = opened(case_report(make_decision(reasons=("T2 is missing",), series_used={})))
    assert text.count("missing") == 5


@pytest.mark.parametrize("logit", [-1e6, -1.25, 1e6])
def test_any_logit_has_its_place_on_the_page(logit):
    page, text = opened(case_report(make_decision(logit=logit)))
    assert f"{logit:.3f}" in text
    width, _ = page.get_size()
    found = page.get_textpage()
    boxes = [found.get_rect(number) for number in range(found.count_rects())]
    assert all(left >= 0 and right <= width for left, _, right, _ in boxes)


@pytest.mark.parametrize("pictures", [None, Pictures((FOUR.rows[0],)), FOUR], ids=["none", "two", "four"])
@pytest.mark.parametrize("count", [0, 1, 12, 30, 200])
def test_one_page_always(pictures, count):
    reasons = tuple(f"{number}: {LONG}"[:400] for number in range(count))
    used = {name: {"description": LONG * 9, "b": 1e9, "source_tag": LONG} for name in ("t2", "b100", "b600", "b1000")}
    decision = make_decision(
        reasons=reasons, series_used=used, notice=LONG, threshold={"value": -1, "promise": LONG * 2}
    )
    page, text = opened(case_report(decision, pictures))
    assert tuple(round(length) for length in page.get_size()) == A4_POINTS
    assert "Made by" in text  # the end of the page
    shown = sum(f"{number}: an identifier" in text for number in range(count))
    if shown < count:
        assert f"And {count - shown} more: they stand in" in text
    assert shown == count or count >= 12
    assert shown > 0 or count == 0


def test_markup_is_text():
    used = {"t2": {"description": MARKUP, "b": None, "source_tag": None}}
    _, text = opened(case_report(make_decision(reasons=(MARKUP,), series_used=used)))
    assert squeezed(MARKUP) in squeezed(text)
    assert all(squeezed(text).count(word) == 2 for word in ('<script>alert("1")</script>', "#letx;", "*b*_i_$x$"))


def test_the_same_decision_gives_the_same_bytes():
    page = case_report(make_decision(), FOUR)
    assert case_report(make_decision(), FOUR) == page
    assert b"CreationDate" not in page  # it would be the time of now


def test_pictures_have_their_captions():
    _, text = opened(case_report(make_decision(), FOUR))
    assert all(words in text for words in ("left 0", "right 0", "left 1", "right 1", "a note"))
    assert "No picture" in opened(case_report(make_decision()))[1]


def volume(peak=None):
    voxels = np.random.default_rng(1).uniform(1, 2, (20, 20, 6)).astype(np.float32)
    if peak is not None:
        voxels = np.zeros_like(voxels)
        voxels[peak] = 1.0
    return Volume(voxels, np.diag([4.0, 4.0, 3.0, 1.0]))


VOLUMES = {"t2w": volume(), "dwi_b50": volume(), "dwi_b800": volume()}


def test_t2_and_the_highest_b_value_are_shown():
    pictures = study_pictures(VOLUMES)
    assert [[picture.caption.split(",")[0] for picture in row] for row in pictures.rows] == [["T2", "dwi_b800"]]
    assert study_pictures({}) == Pictures()


def test_what_is_missing_is_left_out_of_the_pictures():
    only = study_pictures({"dwi_b800": VOLUMES["dwi_b800"]})
    assert [[picture.caption.split(",")[0] for picture in row] for row in only.rows] == [["dwi_b800"]]


def _most_colour(data):
    return int(np.ptp(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int), axis=-1).max())


def test_saliency_is_shown_where_it_is_highest_and_explained():
    shown = SaliencyMap(volume((10, 10, 4)), (40.0, 40.0, 12.0), 16.0)
    plain, outlined = study_pictures(VOLUMES, shown).rows
    assert [picture.caption for picture in outlined] == ["T2, axial, z 12.0 mm", "dwi_b800, axial, z 12.0 mm"]
    colours = [_most_colour(row[0].png) for row in (plain, outlined)]
    assert colours[0] == 0
    assert colours[1] > 100
    notes = " ".join(study_pictures(VOLUMES, shown).notes)
    assert "explains the score, not the disease" in notes
    assert "soft cube of 16 mm" in notes


def test_no_line_is_drawn_where_nothing_speaks_for_dce():
    nothing = SaliencyMap(Volume(np.full((20, 20, 6), -1, np.float32), volume().affine), (0.0, 0.0, 0.0), 16.0)
    pictures = study_pictures(VOLUMES, nothing)
    assert len(pictures.rows) == 1
    assert "no line is drawn" in " ".join(pictures.notes)
