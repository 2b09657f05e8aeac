"""A law: taking files away or damaging them never makes a study ready, and never changes what is read unnoticed."""

import shutil

import dicom_factory
import numpy as np
import pytest

from prostate_alm.phantom import DIALECTS, write_cohort
from prostate_alm.studies import Keys, find_studies, read_study

KEYS = Keys(b"a salt for the tests")
DAMAGES = {
    "removed": None,
    "emptied": lambda _: b"",
    "cut": lambda content: content[:200],
    "cut late": lambda content: content[: len(content) * 2 // 3],
    "zeroed": lambda content: bytes(len(content)),
}
AMBIGUOUS = {
    "two T2": lambda other: dicom_factory.copy_of(other["t2"], 14),
    "two b600": lambda other: dicom_factory.copy_of(other["dwi_b600"], 16),
    "a contradiction": lambda other: [contradicted(image) for image in dicom_factory.copy_of(other["dwi_b100"], 17)],
}


def contradicted(image):
    image.DiffusionBValue = 400.0
    return image


def spoil(path, damage):
    if DAMAGES[damage] is None:
        path.unlink()
    else:
        path.write_bytes(DAMAGES[damage](path.read_bytes()))


def read(folder):
    (study,) = find_studies(folder)
    return read_study(study, keys=KEYS)


def same_volumes(one, other):
    return set(one.volumes) == set(other.volumes) and all(
        np.array_equal(one.volumes[name].voxels, other.volumes[name].voxels) for name in one.volumes
    )


def check_law(folder, paths, damage):
    before = read(folder)
    for path in paths:
        content = path.read_bytes()
        spoil(path, damage)
        after = read(folder)
        path.write_bytes(content)
        assert before.ready or not after.ready, f"{damage} {path} made the study ready"
        assert not after.ready or same_volumes(before, after), f"{damage} {path} changed what is read, unnoticed"


@pytest.fixture
def folder(tmp_path):
    return dicom_factory.save(dicom_factory.study(), tmp_path / "study")


@pytest.mark.parametrize("damage", ["removed", "cut", "zeroed"])
def test_every_file_of_a_whole_study(folder, damage):
    check_law(folder, sorted(folder.rglob("*.dcm")), damage)


@pytest.mark.parametrize("damage", ["removed", "cut"])
@pytest.mark.parametrize("name", AMBIGUOUS)
def test_files_of_a_study_that_is_in_doubt(folder, name, damage):
    dicom_factory.save(AMBIGUOUS[name](dicom_factory.study()), folder)
    assert not read(folder).ready
    paths = sorted(folder.rglob("*.dcm"))
    check_law(folder, [path for path in paths if path.parent.name in {"series14", "series16", "series17"}], damage)


@pytest.mark.parametrize("damage", DAMAGES)
def test_whole_series(folder, damage):
    for name in ("series4", "series6"):
        shutil.copytree(folder / name, folder.parent / "kept", dirs_exist_ok=True)
        for path in (folder / name).iterdir():
            spoil(path, damage)
        assert not read(folder).ready
        shutil.copytree(folder.parent / "kept", folder / name, dirs_exist_ok=True)
        shutil.rmtree(folder.parent / "kept")


@pytest.fixture(scope="module", params=sorted(DIALECTS))
def phantom(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("phantom")
    write_cohort(root, studies=2, class_ratio="1:1", dialect=request.param, seed=8, processes=1)
    return find_studies(root / "studies")[0]


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_files_of_a_phantom(phantom, damage):
    """A T2 that lost its last number at an end cannot be told from a shorter scan; that file is left out."""
    last: dict[str, int] = {}
    for image in phantom.files:
        last[image.series_uid] = max(last.get(image.series_uid, 0), image.instance_number)
    files = [image for image in phantom.files if image.instance_number != last[image.series_uid]]
    chosen = np.random.default_rng(3).permutation(len(files))[:3]
    check_law(phantom.folder, [files[index].path for index in chosen], damage)


def test_a_link_that_leads_nowhere_is_damage(folder):
    path = sorted((folder / "series4").iterdir())[5]
    path.unlink()
    path.symlink_to(folder / "gone.dcm")
    assert not read(folder).ready
