"""The rules file: defaults, merging, matching, and one line for every mistake."""

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from prostate_alm.errors import UsageError
from prostate_alm.studies.rules import FileMatch, FileRule, Rules, SeriesRule, load_rules
from prostate_alm.studies.rules import file as rules_file
from prostate_alm.studies.words import words_of

DEFAULTS = load_rules(None)
DEFAULT_FILE = Path(rules_file.__file__).with_name("default_rules.yaml")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Load a text as a site's file, named `site.yaml` as messages see it."""
    monkeypatch.chdir(tmp_path)

    def load(content: str | bytes) -> Rules:
        path = Path("site.yaml")
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return load_rules(path)

    return load


# defaults


def test_the_default_limits():
    content = DEFAULTS.model_dump()
    content.pop("files")
    assert (
        content.pop("t2").items()
        >= {
            "echo_time_ms": (60, 250),
            "min_repetition_time_ms": 1000,
            "named": ("t2", "t2w"),
        }.items()
    )
    assert content.pop("dwi").items() >= {"time_tolerance": 0.01, "unverified_b_values": "refuse"}.items()
    assert content == {
        "version": 1,
        "geometry": {"max_tilt_deg": 35, "min_slices": 5},
        "checks": {
            "min_extent_mm": 40,
            "max_end_distance_mm": 6,
            "min_overlap": 0.8,
            "max_fit_residual": 0.1,
            "fit_adc_mm2_per_s": (0.2e-3, 3.5e-3),
            "max_extrapolation_above": 1.3,
            "max_extrapolation_below": 150,
            "min_snr": 2.8,
            "max_saturated": 0.02,
            "min_contrast": 1.05,
            "max_blank_slices": 0,
            "max_signal_ratio": 1,
        },
        "series": (),
    }


# what t2.py and kinds.py held before there were rules
NOT_T2_WORD = re.compile(r"dwi\w*|diff\w*|dti|ivim|ep2d\w*|epi|resolve|trace\w*|b\d{2,4}|bval\w*|e?adc\w*|perf\w*|dce")
CALCULATED_TEXT = re.compile(r"calc|synth|comput|extrapol|syn_?b\d", re.IGNORECASE)
CALCULATED_WORD = re.compile(r"[cs]dwi\w*|syn|[cs]b\d{2,4}")

_WORD = st.text("abcdefilmoprstuvwxyz0159", min_size=1, max_size=7)


@given(_WORD | st.from_regex(NOT_T2_WORD, fullmatch=True, alphabet=st.sampled_from("abcdeilrtv0159")))
@example("ep2d")
@example("b1000")
@example("b10000")
@example("diffusion")
@example("t2")
def test_words_that_rule_out_a_t2_are_the_same_as_before_there_were_rules(word):
    assert DEFAULTS.t2.rules_out(word) == bool(NOT_T2_WORD.fullmatch(word))


_PIECE = st.sampled_from(
    ["calc", "synth", "comput", "extrapol", "syn", "b", "50", "1400", "c", "s", "dwi", "_", " ", "x"]
)


@given(st.lists(_PIECE, max_size=5).map("".join) | st.lists(_WORD, max_size=3).map("_".join))
@example("ep2d_DYNDISTCALC_BVAL")
@example("dwisyn_b1500")
def test_words_of_calculated_images_are_the_same_as_before_there_were_rules(text):
    words = words_of(text)
    before = any(CALCULATED_WORD.fullmatch(word) for word in words) or CALCULATED_TEXT.search(text)
    # the one difference: a word that only ends in syn had to be followed by b and a digit
    assert DEFAULTS.dwi.says_calculated(text) == bool(before or any(word.endswith("syn") for word in words))


@pytest.mark.parametrize(
    ("description", "names"),
    [("t2_tse_tra", True), ("AX T2W", True), ("t2tse", False), ("space", False), ("", False)],
)
def test_words_that_name_t2(description, names):
    assert DEFAULTS.t2.names(description) is names


def test_every_limit_in_the_file_says_why():
    lines = DEFAULT_FILE.read_text("utf-8").splitlines()
    limits = [index for index, line in enumerate(lines) if re.match(r"  [a-z]\w*:", line)]
    assert len(limits) == sum(
        len(type(section).model_fields) for section in (DEFAULTS.t2, DEFAULTS.dwi, DEFAULTS.geometry, DEFAULTS.checks)
    )
    assert [lines[index] for index in limits if not lines[index - 1].startswith("  # ")] == []


def test_defaults_are_read_once():
    assert load_rules(None) is DEFAULTS


# a site's file over the defaults


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "{}", "---\n", "null", "\ufeff", "t2:\nchecks:\nfiles:\n"])
def test_a_file_without_content_changes_nothing(site, text):
    assert site(text) == DEFAULTS


def test_sections_merge_key_by_key(site):
    rules = site("checks:\n  min_overlap: 0.9\nt2: {named: [tse]}\n")
    assert (rules.checks.min_overlap, rules.t2.named) == (0.9, ("tse",))
    assert rules.checks.model_copy(update={"min_overlap": 0.8}) == DEFAULTS.checks
    assert rules.t2.model_copy(update={"named": DEFAULTS.t2.named}) == DEFAULTS.t2
    assert (rules.dwi, rules.geometry, rules.files) == (DEFAULTS.dwi, DEFAULTS.geometry, DEFAULTS.files)


def test_files_and_series_of_the_site_come_first(site):
    rules = site(
        "files:\n  - {name: 'axial_*', use_as: t2}\nseries:\n  - {series_number: 5, use_as: ignore, because: motion}\n"
    )
    assert rules.files == (FileRule(name="axial_*", use_as="t2"), *DEFAULTS.files)
    assert rules.series == (SeriesRule(series_number=5, use_as="ignore", because="motion"),)


def test_a_copy_of_the_defaults_is_the_defaults(site):
    rules = site(DEFAULT_FILE.read_text("utf-8"))
    assert rules == DEFAULTS
    assert rules.fingerprint == DEFAULTS.fingerprint


@pytest.mark.parametrize(
    ("text", "value"),
    [("2e-4", 2e-4), ("0.2e-3", 2e-4), (".0002", 2e-4), ("0", 0.0), ("+0.001", 0.001)],
)
def test_numbers_as_people_write_them(site, text, value):
    assert site(f"checks: {{fit_adc_mm2_per_s: [{text}, 0.003]}}").checks.fit_adc_mm2_per_s == (value, 0.003)


def test_no_is_a_word_and_no_truth_value(site):
    (rule,) = site("series: [{description: on, use_as: ignore, because: no}]").series
    assert (rule.description, rule.because) == ("on", "no")


# mistakes

MISTAKES = [
    # out of range, and the wording of the design
    ("checks:\n  # ours\n  min_overlap: 1.4\n", 3, "checks.min_overlap is 1.4, allowed 0 to 1"),
    ("checks: {min_snr: .nan}", 1, "checks.min_snr is NaN, allowed 0 to 1000"),
    ("checks: {min_snr: -.INF}", 1, "checks.min_snr is -Infinity, allowed 0 to 1000"),
    ("geometry:\n  min_slices: 1", 2, "geometry.min_slices is 1, allowed a whole number, 2 to 500"),
    ("geometry:\n  min_slices: " + "9" * 5000, 2, "geometry.min_slices is Infinity, allowed a whole number, 2 to 500"),
    ("version: 2", 1, "version is 2, allowed 1"),
    # wrong type
    ("checks:\n  min_snr: much", 2, 'checks.min_snr is "much", allowed a number, 0 to 1000'),
    ("checks:\n  min_snr: true", 2, "checks.min_snr is true, allowed a number, 0 to 1000"),
    ("checks:\n  min_snr:\n", 2, "checks.min_snr is empty, allowed a number, 0 to 1000"),
    ("checks:\n  min_snr: '2'", 2, 'checks.min_snr is "2", allowed a number, 0 to 1000'),
    ("geometry:\n  min_slices: 5.0", 2, "geometry.min_slices is 5.0, allowed a whole number, 2 to 500"),
    ("version: true", 1, "version is true, allowed 1"),
    ("version: 1.0", 1, "version is 1.0, allowed 1"),
    ("\n\ngeometry: 5", 3, "geometry is 5, allowed a section with max_tilt_deg, min_slices"),
    ("t2:\n  never: dwi", 2, 't2.never is "dwi", allowed a list, [] or lines that begin with -'),
    ("files: {name: x}", 1, 'files is {"name": "x"}, allowed a list, [] or lines that begin with -'),
    ("files:\n  - x\n  -\n", 2, 'files[0] is "x", allowed a section with name, use_as, because; and 1 more mistake'),
    ("dwi:\n  unverified_b_values: yes", 2, 'dwi.unverified_b_values is "yes", allowed refuse or accept'),
    ("- 1", 1, "holds no sections at its top level, allowed version, t2, dwi, geometry, checks, files, series"),
    ("\nno rules", 2, "holds no sections at its top level, allowed version, t2, dwi, geometry, checks, files, series"),
    # ranges
    (
        "t2:\n  echo_time_ms: [250, 60]",
        2,
        "t2.echo_time_ms is [250, 60], allowed [low, high], low not above high, each 1 to 1000",
    ),
    (
        "t2:\n  echo_time_ms: []",
        2,
        "t2.echo_time_ms is [], allowed [low, high], low not above high, each 1 to 1000",
    ),
    (
        "t2:\n  echo_time_ms: [1, 2, 3]",
        2,
        "t2.echo_time_ms is [1, 2, 3], allowed [low, high], low not above high, each 1 to 1000",
    ),
    ("t2:\n  echo_time_ms:\n  - 60\n  - x", 4, 't2.echo_time_ms[1] is "x", allowed a number, 1 to 1000'),
    ("t2:\n  echo_time_ms:\n  - 0.5\n  - 90", 3, "t2.echo_time_ms[0] is 0.5, allowed 1 to 1000"),
    # unknown keys
    ("checks:\n  min_overlapp: 1", 2, "checks.min_overlapp is unknown; did you mean min_overlap?"),
    ("\nchekcs: {}", 2, "chekcs is unknown; did you mean checks?"),
    ("min_slices: 5", 1, "min_slices is unknown; it belongs under geometry"),
    ("geometry:\n  colour: 5", 2, "geometry.colour is unknown, allowed max_tilt_deg, min_slices"),
    ("files:\n- name: x\n  use_as: t2\n  becuase: y", 4, "files[0].becuase is unknown; did you mean because?"),
    ("<<: {}", 1, "<< is unknown, allowed version, t2, dwi, geometry, checks, files, series"),
    ("1: {}", 1, "1 is unknown, allowed version, t2, dwi, geometry, checks, files, series"),
    ("? [a]\n: 1\n", 1, "the file has a key that is no word"),
    ("t2:\n  ? {a: b}\n  : 1\n", 2, "t2 has a key that is no word"),
    # duplicate keys
    (
        "checks:\n  min_snr: 1\n\n  min_snr: 1\n",
        4,
        "checks.min_snr stands twice, first on line 2; keep one",
    ),
    ("t2:\ndwi:\nt2:\n", 3, "t2 stands twice, first on line 1; keep one"),
    # lists of rules
    ("files:\n- name: x\n", 2, "files[0].use_as is missing, allowed t2, dwi, adc, calculated or ignore"),
    (
        "files:\n- {name: x, use_as: t2}\n- name: x\n  use_as: t1\n",
        4,
        'files[1].use_as is "t1", allowed t2, dwi, adc, calculated or ignore',
    ),
    *(
        (
            f"files:\n- use_as: t2\n  name: {name!r}\n",
            3,
            f'files[0].name is "{name}", '
            "allowed a file name without folder and extension, with at most one * and one {b}",
        )
        for name in ("", "*_*", "{b}_{b}", "*_t2w.mha", "*_t2w.NII.gz", "a/*", "x?", "[x]", "{c}")
    ),
    (
        "series:\n- use_as: t2\n  because: x\n",
        2,
        "series[0] needs at least one of description, series_number, vendor and model",
    ),
    (
        "series:\n- use_as: t2\n  model: x\n",
        2,
        "series[0].because is missing, allowed text of 1 to 200 characters, in quotes",
    ),
    (
        "series:\n- use_as: t2\n  because: x\n  model: 750\n",
        4,
        "series[0].model is 750, allowed text of 1 to 200 characters, in quotes",
    ),
    (
        "series:\n- use_as: t2\n  because: x\n  vendor: Simens\n",
        4,
        "series[0].vendor is \"Simens\", allowed a known vendor such as Siemens, GE or Philips, or 'other'",
    ),
    (
        "series:\n- {use_as: adc, because: x, series_number: 5}\n",
        2,
        'series[0].use_as is "adc", allowed t2, dwi or ignore',
    ),
    # words that could never fit
    *(
        (
            f"t2:\n  never:\n  - dwi\n  - '{word}'\n",
            4,
            f't2.never[1] is "{word}", allowed one word without spaces or underscores, with * ? and [0-9] as wildcards',
        )
        for word in ("ep2d_diff", "a b", "", "b[0-9", "b-0")
    ),
    # no YAML
    ("t2:\n  named: [t2\nchecks: {}\n", 3, "is no YAML: expected ',' or ']', but got ':'"),
    ("t2:\n\tnamed: []", 2, "is no YAML: found character '\\t' that cannot start any token"),
    ("a: b: c", 1, "is no YAML: mapping values are not allowed here"),
    ("---\nt2:\n---\ndwi:\n", 3, "is no YAML: expected a single document in the stream, but found another document"),
    ("%YAML 3.0\n---\n", 1, "is no YAML: found incompatible YAML document (version 1.* is required)"),
    ('t2:\n  named: ["\\UFFFFFFFF"]', 2, "is no YAML: an escape or a version number is out of range"),
    ('t2:\n  named: ["\\ud800"]', 2, "is no YAML: an escape names half a character"),
    ('t2:\n  "\\ud800": 1', 2, "is no YAML: an escape names half a character"),
    ("t2:\n  named: [\x00]", 2, "is no YAML: it holds a character that text does not have"),
    # anchors, aliases, tags, depth
    ("files:\n- name: *_t2w\n", 2, "*_t2w is an alias, which is not allowed; put text that begins with * in quotes"),
    ("files:\n- name: *_b{b}\n", 2, "is no YAML: put text that begins with * in quotes"),
    ("t2: {}\ndwi: &x {}\n", 2, "&x is an anchor, which is not allowed; put text with & in quotes"),
    (
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
        1,
        "&a is an anchor, which is not allowed; put text with & in quotes",
    ),
    (
        "t2:\n  named: !!python/object/apply:os.system [x]\n",
        2,
        "the tag !!python/object/apply:os.system is not allowed; put text that begins with ! in quotes",
    ),
    ("version: !!int 1", 1, "the tag !!int is not allowed; put text that begins with ! in quotes"),
    ("version: ! 1", 1, "the tag ! is not allowed; put text that begins with ! in quotes"),
    ("[" * 100_000, 1, "is nested too deeply, allowed 8 levels"),
    # several
    (
        "checks:\n  min_snr: 1\n  min_overlap: 2\n  min_snr: 1\n  colour: 1\nt2: 5\n",
        3,
        "checks.min_overlap is 2, allowed 0 to 1; and 3 more mistakes",
    ),
    # not UTF-8
    (b"t2: {}\n# M\xfcller\n", 2, "is no text in UTF-8; save it as UTF-8 text"),
    (b"\x89PNG\r\n\x1a\n\x00", 1, "is no text in UTF-8; save it as UTF-8 text"),
    ("t2: {}".encode("utf-16"), 1, "is no text in UTF-8; save it as UTF-8 text"),
]


@pytest.mark.parametrize(("content", "line", "text"), MISTAKES, ids=[text[:60] for _, _, text in MISTAKES])
def test_a_mistake_is_one_line_that_names_its_place(site, content, line, text):
    with pytest.raises(UsageError) as caught:
        site(content)
    assert str(caught.value) == f"site.yaml line {line}: {text}"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.yaml", "none.yaml: no such file; give the path of a rules file in YAML"),
        (".", ".: is a folder; give the path of a rules file in YAML"),
        ("a\0b", "a?b: cannot be read (embedded null byte)"),
        ("x" * 300, f"{'x' * 300}: cannot be read (File name too long)"),
        ("big.yaml", "big.yaml: is larger than 1 MiB, which no rules file needs"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    Path("big.yaml").write_bytes(b"#" * (rules_file.MAX_BYTES + 1))
    with pytest.raises(UsageError) as caught:
        load_rules(Path(name))
    assert str(caught.value) == message
    assert caught.value.exit_code == 2


def test_a_file_of_the_greatest_size_is_read(site):
    assert site(b"#" * rules_file.MAX_BYTES) == DEFAULTS


def test_a_long_value_is_cut(site):
    with pytest.raises(UsageError, match=r'checks\.min_snr is "y{56}\.\.\., allowed') as caught:
        site("checks:\n  min_snr: " + "y" * 5000)
    assert len(str(caught.value)) < 200


_PIECES = st.sampled_from(
    ["t2", "checks", "min_snr", "files", "series", "name", "use_as", ": ", "\n", "\n  ", "- ", "? ", "[", "]", "{", "}",
     ", ", "'", '"', "\\", "\\x", "\\ud800", "|", ">", "%YAML ", "---", "...", "\t", "#", "&a", "*a", "!!", "!<", "~",
     "1", "1.4", "-.inf", "true", "\u2028", "\x85", "\r", "\ufeff", "<<", "*_b{b}", "t2w"]
)  # fmt: skip


def _rules_or_one_line(load: Callable[[bytes], Rules], content: bytes) -> bool:
    try:
        return isinstance(load(content), Rules)
    except UsageError as error:
        return re.match(r"site\.yaml line [1-9]\d*: .", str(error)) is not None and str(error).isprintable()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=40)
    | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.lists(_PIECES, max_size=25).map(lambda pieces: "".join(pieces).encode())
)
def test_any_file_gives_rules_or_one_line(site, content):
    assert _rules_or_one_line(site, content)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_copy_of_the_defaults_gives_rules_or_one_line(site, data):
    content = DEFAULT_FILE.read_bytes()
    start = data.draw(st.integers(0, len(content)))
    end = start + data.draw(st.integers(0, 5))
    piece = data.draw(_PIECES | st.just(""))
    assert _rules_or_one_line(site, content[:start] + piece.encode() + content[end:])


# names of files


def _role(stem: str) -> tuple[str, FileMatch] | None:
    fits = ((rule.use_as, rule.match(stem)) for rule in DEFAULTS.files)
    return next(((role, match) for role, match in fits if match is not None), None)


@pytest.mark.parametrize(
    ("stem", "role", "prefix", "b"),
    [
        ("10000_1000000_t2w", "t2", "10000_1000000", None),
        ("10000_1000000_adc", "adc", "10000_1000000", None),
        ("10000_1000000_hbv", "calculated", "10000_1000000", None),
        ("10000_1000000_cor", "ignore", "10000_1000000", None),
        ("10000_1000000_sag", "ignore", "10000_1000000", None),
        ("case7_b1000", "dwi", "case7", 1000),
        ("case7_dwi_b0", "dwi", "case7", 0),
        ("CASE7_DWI_B0050", "dwi", "CASE7", 50),
        ("case7_T2W", "t2", "case7", None),
        ("_t2w", "t2", "", None),
        ("Fr\u00fch \U0001f600_b50", "dwi", "Fr\u00fch \U0001f600", 50),
    ],
)
def test_default_names(stem, role, prefix, b):
    assert _role(stem) == (role, FileMatch(prefix, b))


@pytest.mark.parametrize(
    "stem",
    ["x_b50_800", "x_b", "x_b1000000", "x_b0.5", "x_b-50", "x_b\u0661", "t2w", "x_t2", "x_t2w_seg", "x_b50.nii", ""],
)
def test_names_that_no_default_fits(stem):
    assert _role(stem) is None


@pytest.mark.parametrize(
    ("name", "stem", "match"),
    [
        ("t2w", "T2W", FileMatch("")),
        ("t2w", "x_t2w", None),
        ("b{b}_*", "b50_case7", FileMatch("case7", 50)),
        ("*{b}", "case-7100", FileMatch("case-", 7100)),
        ("*{b}", "case-1000000", None),
        ("*{b}", "case-", None),
        ("a.*+(b)", "a.x+(b)", FileMatch("x")),
        ("a.*", "ab", None),
        ("*", "line\nbreak", FileMatch("line\nbreak")),
    ],
)
def test_patterns_of_names(name, stem, match):
    assert FileRule(name=name, use_as="dwi").match(stem) == match


@given(st.text(), st.integers(0, 99_999))
def test_a_name_gives_back_prefix_and_b(prefix, b):
    assert FileRule(name="*_b{b}", use_as="dwi").match(f"{prefix}_B{b}") == FileMatch(prefix, b)


# series

SERIES = {"description": "t2_tse_TRA_320", "series_number": 5, "vendor": "Siemens", "model": "MAGNETOM Skyra"}


@pytest.mark.parametrize(
    ("conditions", "fits"),
    [
        ({"description": "T2*tra*"}, True),
        ({"description": "t2*tra"}, False),
        ({"description": "tse"}, False),
        ({"series_number": 5}, True),
        ({"series_number": 6}, False),
        ({"vendor": "SIEMENS Healthineers"}, True),
        ({"vendor": "GE"}, False),
        ({"model": "*skyra"}, True),
        ({"model": "skyra"}, False),
        ({**SERIES, "description": "t2*"}, True),
        ({**SERIES, "series_number": 6}, False),
        ({**SERIES, "model": "*prisma*"}, False),
    ],
)
def test_every_condition_of_a_series_rule_must_hold(conditions, fits):
    assert SeriesRule(use_as="t2", because="a test", **conditions).fits(**SERIES) is fits


@pytest.mark.parametrize(
    "conditions", [{"description": "?*"}, {"series_number": 0}, {"vendor": "other"}, {"model": "x"}]
)
def test_what_a_series_does_not_state_fits_no_condition(conditions):
    rule = SeriesRule(use_as="t2", because="a test", **conditions)
    assert not rule.fits(description="", series_number=None, vendor="", model="")


def test_an_unknown_vendor_is_another():
    rule = SeriesRule(use_as="ignore", because="a test", vendor="other")
    assert rule.fits(**{**SERIES, "vendor": "Acme"})
    assert not rule.fits(**SERIES)


# the object


def test_rules_are_frozen_hashable_and_survive_a_pickle(site):
    rules = site("series: [{model: x, use_as: t2, because: y}]")
    copy = pickle.loads(pickle.dumps(rules))  # noqa: S301 (our own bytes)
    assert (copy, hash(copy), copy.fingerprint) == (rules, hash(rules), rules.fingerprint)
    with pytest.raises(ValidationError, match="frozen"):
        rules.checks.min_snr = 0.0


def test_fingerprints_differ_where_content_does(site):
    texts = [
        "",
        "checks: {min_snr: 2.1}",
        "checks: {min_snr: 2.2}",
        "t2: {named: [t2w, t2]}",
        "t2: {never: []}",
        "t2: {echo_time_ms: [60, 251]}",
        "dwi: {unverified_b_values: accept}",
        "files: [{name: x, use_as: t2}]",
        "files: [{name: x, use_as: dwi}]",
        "series: [{model: x, use_as: t2, because: y}]",
        "series: [{description: x, use_as: t2, because: y}]",
    ]
    assert len({site(text).fingerprint for text in texts}) == len(texts)
    assert all(re.fullmatch("[0-9a-f]{64}", site(text).fingerprint) for text in texts)


def test_a_fingerprint_does_not_care_for_layout(site):
    one = site("checks: {min_snr: 3, min_overlap: 0.5}\ngeometry: {min_slices: 5}\n")
    other = site("checks:\n  min_overlap: 5.0e-1 # half\n  min_snr: 3.0\n")
    assert one.fingerprint == other.fingerprint != DEFAULTS.fingerprint


def test_a_fingerprint_is_the_same_in_another_process():
    code = "from prostate_alm.studies.rules import load_rules; print(load_rules(None).fingerprint)"
    assert _run(code, PYTHONHASHSEED="7") == DEFAULTS.fingerprint


def test_importing_the_package_imports_no_rules():
    code = "import sys, prostate_alm; print({'pydantic', 'yaml', 'prostate_alm.studies'} & set(sys.modules))"
    assert _run(code) == "set()"


def _run(code: str, **environment: str) -> str:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **environment})
    return done.stdout.strip()
