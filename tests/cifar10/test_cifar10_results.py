from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from prostate_alm.cifar10.results import (
    ArmResult,
    content_key,
    ensemble_of,
    load_result,
    load_results,
    save_result,
)
from prostate_alm.errors import NoInputError, OutputError

LABELS = np.repeat([0, 1], 40)


def result(member: int | None = 0, **changes: object) -> ArmResult:
    logits = np.random.default_rng(member).normal(LABELS, 1).astype(np.float32)
    made = ArmResult("1:2", "BCE", "base", logits, LABELS, np.arange(80) + 50_000, member=member, seed=4)
    return replace(made, **changes)


def test_a_result_comes_back_as_it_was(tmp_path: Path) -> None:
    kept = result(3, classes=(6, 7), member_aucs=(0.5, 0.25), details={"penalty": 1.5, "epochs": [1, 2]})
    path = save_result(tmp_path / "deep" / "r.npz", kept, key="k")
    back, key = load_result(path)
    assert key == "k"
    for name in ("test_logits", "test_labels", "test_case_ids"):
        np.testing.assert_array_equal(getattr(back, name), getattr(kept, name))
    for name in ("class_ratio", "loss", "arm", "classes", "seed", "member", "member_aucs", "details"):
        assert getattr(back, name) == getattr(kept, name)


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    one = save_result(tmp_path / "a.npz", result(), key="k").read_bytes()
    assert save_result(tmp_path / "b.npz", result(), key="k").read_bytes() == one


def test_a_result_comes_back_with_its_key(tmp_path: Path) -> None:
    found, key = load_result(save_result(tmp_path / "r.npz", result(), key="k"))
    assert key == "k"
    np.testing.assert_array_equal(found.test_logits, result().test_logits)


def test_key_depends_on_every_part() -> None:
    parts = {"seed": 0, "loss": "BCE", "settings": {"lr": 1e-3, "epochs": 4}}
    changed = [{"seed": 1}, {"loss": "bce"}, {"settings": {"lr": 1e-3, "epochs": 5}}, {"more": None}]
    assert len({content_key(parts), *(content_key(parts | change) for change in changed)}) == 5
    assert content_key(parts) == content_key(dict(reversed(parts.items())))
    with pytest.raises(ValueError, match="JSON"):
        content_key({"lr": float("nan")})


def test_folder_is_read_without_unfinished_files(tmp_path: Path) -> None:
    save_result(tmp_path / "b.npz", result(1), key="k")
    save_result(tmp_path / "a" / "z.npz", result(0), key="k")
    (tmp_path / ".12.part.c.npz").write_bytes(b"half")
    assert [stored.member for stored in load_results(tmp_path)] == [0, 1]


def test_folder_without_results_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(NoInputError, match="holds no results"):
            load_results(folder)


def test_damaged_or_pickled_file_is_refused(tmp_path: Path) -> None:
    path = save_result(tmp_path / "r.npz", result(), key="k")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(NoInputError, match=r"r\.npz cannot be read"):
        load_results(tmp_path)
    np.savez(path, facts=np.array({"loss": "BCE"}, object))
    with pytest.raises(NoInputError, match="allow_pickle"):
        load_result(path)
    np.savez(path, facts=np.array("{}"))
    with pytest.raises(NoInputError):
        load_result(path)


def test_wrong_name_and_unwritable_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.npz"):
        save_result(tmp_path / "r.json", result(), key="k")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        save_result(tmp_path / "file" / "r.npz", result(), key="k")
    with pytest.raises(ValueError, match="JSON"):
        save_result(tmp_path / "r.npz", result(details={"mu": float("inf")}), key="k")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_ensemble_is_the_mean_of_logits_with_the_members_aucs() -> None:
    members = [result(number) for number in range(3)]
    together = ensemble_of([members[2], members[0], members[1]], details={"seconds": 2})
    expected = (members[0].test_logits + members[1].test_logits + members[2].test_logits) / 3
    np.testing.assert_allclose(together.test_logits, expected, rtol=1e-6)
    assert together.member is None
    assert together.details == {"seconds": 2}
    oracle = [roc_auc_score(labels, logits) for logits, labels in (member.thinned() for member in members)]
    np.testing.assert_allclose(together.member_aucs, oracle)


def test_thinned_keeps_negatives_and_draws_positives() -> None:
    logits, labels = result().thinned()
    assert np.bincount(labels).tolist() == [40, 20]
    np.testing.assert_array_equal(logits[labels == 0], result().test_logits[:40])
    assert not np.array_equal(logits, result().thinned(1)[0])


@pytest.mark.parametrize(
    "members",
    [
        [],
        [result(0), result(0)],
        [result(0), result(None)],
        [result(0), result(1, loss="A-FL")],
        [result(0), result(1, test_case_ids=np.arange(80))],
    ],
)
def test_what_is_no_ensemble_is_refused(members: list[ArmResult]) -> None:
    with pytest.raises(ValueError, match="members"):
        ensemble_of(members)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"arm": "best"}, "unknown"),
        ({"test_logits": np.zeros(79, np.float32)}, "one length"),
        ({"test_labels": LABELS[:, None]}, "one length"),
        ({"test_case_ids": np.zeros(80, np.int64)}, "twice"),
    ],
)
def test_unsound_result_is_refused(changes: dict, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        result(**changes)
