"""Draws are a function of (seed, stage, epoch, case id), and the cache is whole."""

from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from monai.bundle import ConfigParser
from monai.transforms import Compose

from prostate_alm.errors import NoInputError, OutputError, UsageError
from prostate_alm.training import CaseDataset
from prostate_alm.training.data import draw_seed
from prostate_alm.training.tensors import save_tensors

IDS = ["a", "b", "c", "d"]


def bundle_augmentation() -> Compose:
    parser = ConfigParser()
    parser.read_config(str(tiny.BUNDLE / "configs" / "train.json"))
    return parser.get_parsed_content("augmentation")


def dataset(ids: list[str] = IDS, seed: int = 0, stage: int = 0) -> CaseDataset:
    """Every case has the same image, so that a difference comes from the draw."""
    image = torch.linspace(0, 1, 4 * 8 * 8 * 4).reshape(4, 8, 8, 4)
    cases = [{"case_id": case_id} for case_id in ids]
    return CaseDataset(
        cases, lambda case: {**case, "image": image.clone()}, bundle_augmentation(), seed=seed, stage=stage
    )


def drawn(data: CaseDataset, epoch: int, index: int) -> torch.Tensor:
    return data[epoch, index]["image"]


def test_augmentation_does_not_depend_on_order_or_on_other_cases() -> None:
    forwards = [drawn(dataset(), 3, index) for index in range(4)]
    data = dataset()
    backwards = [drawn(data, 3, index) for index in (3, 1, 2, 0, 3)]
    for image, index in zip(backwards, (3, 1, 2, 0, 3), strict=True):
        assert torch.equal(image, forwards[index])
    assert torch.equal(drawn(dataset(["new", "c"]), 3, 1), forwards[2])  # another place, one more case


def test_augmentation_depends_on_seed_stage_epoch_and_case() -> None:
    images = [drawn(dataset(seed=s, stage=g), e, i) for s, g, e, i in
              [(0, 0, 1, 0), (1, 0, 1, 0), (0, 1, 1, 0), (0, 0, 2, 0), (0, 0, 1, 1)]]  # fmt: skip
    for index, image in enumerate(images):
        assert not any(torch.equal(image, other) for other in images[index + 1 :])


def test_augmentation_ignores_the_global_generator() -> None:
    torch.manual_seed(1)
    first = drawn(dataset(), 1, 0)
    torch.manual_seed(2)
    assert torch.equal(drawn(dataset(), 1, 0), first)


def test_a_plain_index_is_not_augmented() -> None:
    plain = dataset()[0]["image"]
    assert torch.equal(plain, torch.linspace(0, 1, 4 * 8 * 8 * 4).reshape(4, 8, 8, 4))
    assert len(dataset()) == 4


def test_seeds_of_different_parts_differ() -> None:
    parts = [(0, 1, 1), (1, 0, 1), (1, 1, 0), (0, 1), (0, 1, 2)]
    assert len({draw_seed(*part) for part in parts}) == len(parts)
    assert draw_seed(0, 1, 1) == draw_seed(0, 1, 1) < 2**32


CALLS: list[str] = []


def counting(case: dict[str, Any]) -> dict[str, Any]:
    """A preprocessing whose calls are counted."""
    CALLS.append(case["case_id"])
    return {**case, "image": torch.ones(2)}


class Adding:
    """A preprocessing with a setting."""

    def __init__(self, amount: int) -> None:
        self.amount = amount

    def __call__(self, case: dict[str, Any]) -> dict[str, Any]:
        return {**case, "sum": self.amount}


def test_preprocessing_is_kept_across_datasets_and_looked_up_by_case(tmp_path: Path) -> None:
    CALLS.clear()
    for _ in range(2):
        data = CaseDataset([{"case_id": "a"}, {"case_id": "b"}], counting, cache_dir=tmp_path / "cache")
        for index in (1, 0):
            assert data[index]["case_id"] == "ab"[index]
    assert CALLS == ["b", "a"]
    CaseDataset([{"case_id": "a", "label": 1.0}], counting, cache_dir=tmp_path / "cache")[0]
    assert CALLS == ["b", "a", "a"]


def test_without_cache_every_draw_is_preprocessed() -> None:
    CALLS.clear()
    data = CaseDataset([{"case_id": "a"}], counting)
    assert data[0]["case_id"] == data[0]["case_id"]
    assert CALLS == ["a", "a"]


def missing(case: dict[str, Any]) -> dict[str, Any]:
    raise FileNotFoundError("volume.nii.gz")


def test_a_case_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoInputError, match=r"case a cannot be preprocessed: volume\.nii\.gz"):
        CaseDataset([{"case_id": "a"}], missing, cache_dir=tmp_path)[0]
    assert list(tmp_path.iterdir()) == []


def test_another_preprocessing_or_volume_is_computed_anew(tmp_path: Path) -> None:
    volume = tmp_path / "volume.nii.gz"
    volume.write_bytes(b"one")
    case = {"case_id": "a", "t2w": str(volume)}
    CaseDataset([case], Adding(1), cache_dir=tmp_path / "cache")[0]
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert CaseDataset([case], Adding(1), cache_dir=tmp_path / "cache")[0]["sum"] == 1
    assert CaseDataset([case], Adding(2), cache_dir=tmp_path / "cache")[0]["sum"] == 2
    volume.write_bytes(b"another")
    CaseDataset([case], Adding(1), cache_dir=tmp_path / "cache")[0]
    assert len(list((tmp_path / "cache").iterdir())) == 3


@pytest.mark.parametrize("kept", [0, 10, 500])
def test_a_damaged_file_of_the_cache_is_made_anew(kept: int, tmp_path: Path) -> None:
    def image() -> torch.Tensor:
        return CaseDataset([{"case_id": "a"}], counting, cache_dir=tmp_path)[0]["image"]

    wanted = image()
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:kept])
    assert torch.equal(image(), wanted)
    assert path.read_bytes() == whole


def test_a_cache_refuses_a_preprocessing_that_it_cannot_recognise(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="instead of a lambda, or set cache_dir to null"):
        CaseDataset([{"case_id": "a"}], lambda case: case, cache_dir=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_tensors_have_the_same_bytes_under_every_name(tmp_path: Path) -> None:
    content = {"weight": torch.arange(3.0)}
    files = [save_tensors(tmp_path / name, content) for name in ("a.pt", "model.pt")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert torch.equal(torch.load(files[0], weights_only=True)["weight"], content["weight"])
    with pytest.raises(OutputError, match="cannot write"):
        save_tensors(tmp_path / "absent" / "a.pt", content)
