"""The flow of studies: every one is counted once, and what is unknown is said to be."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import dicom_factory
import pytest

from prostate_alm.cohort import Case, Cohort
from prostate_alm.prepare import prepare
from prostate_alm.report.flow import Flow, grouped, read_flow
from prostate_alm.studies import Keys

SECRET = "DOE^JOHN 1950"


def case(number, label, patient=None, harmonised=False):
    name = f"p{number}" if patient is None else patient
    return Case(f"c{number}", name, label, {}, harmonised=harmonised)


def cohort(folder: Path, cases, broken=()) -> Cohort:
    folder.mkdir(exist_ok=True)
    with (folder / "qc.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["study_key", "ready", "reasons"])
        table.writerows([[one.case_id, 1, ""] for one in cases])
        table.writerows([[f"b{number}", 0, reasons] for number, reasons in enumerate(broken)])
    whole = Cohort(folder, tuple(cases))
    whole.save()
    return whole


def test_every_study_is_counted_once(tmp_path):
    cases = [case(0, 1), case(1, 1, harmonised=True), case(2, 0), case(3, 0, "p2"), case(4, 1), case(5, None)]
    broken = ["no label", "no usable axial T2; series 3 (t2 tse): a gap (missing slice) between", "no label", SECRET]
    whole = cohort(tmp_path, cases, broken)
    flow = read_flow(whole, replace(whole, cases=tuple(cases[:4])))
    assert flow.read == 10
    assert flow.excluded == (("no label was given", 2), ("no usable axial T2", 1), ("another reason", 1))
    assert (flow.prepared, flow.unlabelled, flow.thinned, flow.analysed) == (6, 1, 1, 4)
    assert (flow.positives, flow.negatives, flow.patients, flow.harmonised) == (2, 2, 3, 1)
    assert flow.read - sum(count for _, count in flow.excluded) == flow.prepared
    assert flow.prepared - flow.unlabelled - flow.thinned == flow.analysed
    assert flow.notes == ()


def test_the_steps_are_read_in_order_and_hold_no_word_of_a_reason(tmp_path):
    whole = cohort(tmp_path, [case(0, 1), case(1, 0)], [f"series 2 ({SECRET}): the intensities are constant"])
    flow = read_flow(whole, whole)
    assert [(what, count) for what, count, _ in flow.steps] == [
        ("Studies read", "3"),
        ("excluded: image quality", "1"),
        ("Ready for the model", "2"),
        ("Analysed, of 2 patients", "2"),
        ("DCE needed (positive)", "1"),
        ("DCE not needed (negative)", "1"),
    ]
    assert SECRET not in str(flow)


def without_table(folder):
    (folder / "qc.csv").unlink()


def damaged_table(folder):
    (folder / "qc.csv").write_text("study_key,ready\nc0,1\n")


def binary_table(folder):
    (folder / "qc.csv").write_bytes(b"study_key,ready,reasons\n\xff\xfe,1,\n")


def other_table(folder):
    (folder / "qc.csv").write_text("study_key,ready,reasons\nc9,1,\n")


def undecided_table(folder):
    (folder / "qc.csv").write_text("study_key,ready,reasons\nc0,yes,\n")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (without_table, "has no qc.csv"),
        (damaged_table, "cannot be read"),
        (binary_table, "cannot be read"),
        (undecided_table, "cannot be read"),
        (other_table, "belongs to other studies"),
    ],
)
def test_what_is_unknown_is_said(tmp_path, spoil, words):
    whole = cohort(tmp_path, [case(0, 1)], ["no label"])
    spoil(tmp_path)
    flow = read_flow(whole, whole)
    assert (flow.read, flow.excluded, flow.analysed) == (None, (), 1)
    assert words in " ".join(flow.notes)
    assert ("excluded", "unknown", 1) in flow.steps


@pytest.mark.parametrize(
    ("reasons", "group"),
    [
        ("no label", "no label was given"),
        ("the study's files state more than one PatientID", "files of more than one patient, or of another body part"),
        ("2 damaged or unreadable file(s) among the study's files: x", "files missing, damaged or unreadable"),
        ("the process that read it died", "files missing, damaged or unreadable"),
        (
            "series 4: InstanceNumber 3, 4 missing; has the whole series arrived?",
            "files missing, damaged or unreadable",
        ),
        ("several axial T2 fit equally well (series 2, series 3); none is taken", "no usable axial T2"),
        ("no usable acquired diffusion (DWI)", "no usable acquired diffusion (DWI)"),
        (
            "DWI has b-values 50, 400, b 100, 600, 1000 are needed; --harmonise computes them",
            "b-values other than those needed",
        ),
        (
            "several sets of diffusion images and no rule to choose; none is taken",
            "series not told apart with certainty",
        ),
        ("T2 and DWI do not show the same region: DWI covers 40%", "geometry or coverage"),
        ("series 2, t2w: only 12 mm along the slices (4 slices), at least 20 mm are needed", "geometry or coverage"),
        ("series 2, t2w: the signal-to-noise ratio is 1.2, at least 3 is needed", "image quality"),
        ("DWI signal does not fall from b100 to b600", "image quality"),
        ("", "another reason"),
    ],
)
def test_reasons_fall_into_groups(reasons, group):
    assert grouped(reasons) == group


def test_the_words_of_prepare_itself_are_understood(tmp_path):
    root = tmp_path / "studies"
    for seed, name in enumerate(("whole", "without T2", "without DWI", "unlabelled")):
        dicom_factory.save(dicom_factory.study(name, seed=seed), root / name)
    shutil.rmtree(root / "without T2" / "series4")
    shutil.rmtree(root / "without DWI" / "series6")
    labels = tmp_path / "labels.csv"
    labels.write_text("study,label\nwhole,1\nwithout T2,1\nwithout DWI,0\n")
    whole = prepare(root, labels, tmp_path / "cohort", keys=Keys(b"a salt for the tests"), processes=1).cohort
    excluded = (("no label was given", 1), ("no usable axial T2", 1), ("no usable acquired diffusion (DWI)", 1))
    assert read_flow(whole, whole) == Flow(4, excluded, 1, 0, 0, 1, 0, 1, 0)


def test_nothing_excluded_is_said_too(tmp_path):
    whole = cohort(tmp_path, [case(0, 1)])
    assert ("excluded", "0", 1) in read_flow(whole, whole).steps
