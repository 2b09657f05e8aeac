import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prostate_alm.cifar10.protocol import (
    CLASS_PAIRS,
    CLASS_RATIOS,
    FIRST_TEST_ID,
    Protocol,
    Scale,
    Selection,
    thin,
)
from prostate_alm.errors import UsageError

TRAIN = np.random.default_rng(1).permutation(np.arange(50_000) % 10)
TEST = np.random.default_rng(2).permutation(np.arange(10_000) % 10)
PAPER_COUNTS = {"1:2": (150, 50, 500), "1:9": (33, 11, 111), "1:19": (15, 5, 52)}


def counts(selection: Selection) -> list[int]:
    return np.bincount(selection.labels, minlength=2).tolist()


def assert_sound(selection: Selection, class_numbers: np.ndarray, classes: tuple[int, int], first_id: int) -> None:
    assert np.all(np.diff(selection.case_ids) > 0)
    np.testing.assert_array_equal(selection.case_ids - first_id, selection.indices)
    np.testing.assert_array_equal(class_numbers[selection.indices], np.array(classes)[selection.labels])


@pytest.mark.parametrize("classes", CLASS_PAIRS)
@pytest.mark.parametrize("ratio", CLASS_RATIOS)
def test_counts_are_those_of_the_paper(classes: tuple[int, int], ratio: str) -> None:
    protocol = Protocol(classes, ratio, seed=3)
    train, validation, test = PAPER_COUNTS[ratio]
    split = protocol.member_split(TRAIN, member=4)
    assert counts(split.training) == [300, train]
    assert counts(split.validation) == [100, validation]
    assert not set(split.training.case_ids) & set(split.validation.case_ids)
    tested = protocol.test_set(TEST)
    assert counts(tested.thinned) == [1000, test]
    assert counts(tested.balanced) == [1000, 1000]
    assert set(tested.thinned.case_ids) < set(tested.balanced.case_ids)
    for part in (split.training, split.validation):
        assert_sound(part, TRAIN, classes, 0)
    for part in (tested.thinned, tested.balanced):
        assert_sound(part, TEST, classes, FIRST_TEST_ID)


def test_splits_are_repeatable_and_differ_by_member_and_seed() -> None:
    def ids(seed: int, member: int) -> frozenset[int]:
        return frozenset(Protocol(seed=seed).member_split(TRAIN, member).training.case_ids.tolist())

    assert ids(0, 0) == ids(0, 0)
    drawn = [ids(seed, member) for seed in range(2) for member in range(10)]
    assert len(set(drawn)) == 20
    # draws from 5,000: two members share about 300 * 300 / 5000 negatives and 150 * 150 / 5000 positives, 22 in all
    assert np.mean([len(drawn[0] & other) for other in drawn[1:]]) == pytest.approx(22.5, abs=4)


def test_members_reach_the_whole_training_set() -> None:
    seen = np.zeros(50_000, bool)
    for member in range(100):
        seen[Protocol().member_split(TRAIN, member).training.indices] = True
    # one image is missed by all 100 draws of 300 from 5,000 with probability 0.94^100 = 0.2%
    assert seen[TRAIN == 0].mean() > 0.99


def test_ratios_share_negatives_and_nest_positives() -> None:
    splits = [Protocol(class_ratio=ratio).member_split(TRAIN, 0).training for ratio in CLASS_RATIOS]
    ids = [[set(split.case_ids[split.labels == label]) for split in splits] for label in (0, 1)]
    assert ids[0][0] == ids[0][1] == ids[0][2]
    assert ids[1][0] > ids[1][1] > ids[1][2]


def test_draws_differ_keep_all_negatives_and_start_with_the_test_set() -> None:
    protocol = Protocol(class_ratio="1:19", seed=5)
    tested = protocol.test_set(TEST)
    draws = list(protocol.draws(tested.balanced))
    assert len(draws) == 20
    np.testing.assert_array_equal(draws[0].case_ids, tested.thinned.case_ids)
    assert all(counts(draw) == [1000, 52] for draw in draws)
    assert len({tuple(draw.case_ids) for draw in draws}) == 20
    hits = np.zeros(60_000)
    for draw in Protocol(class_ratio="1:2").draws(tested.balanced, n=400):
        hits[draw.case_ids] += 1
    positives = hits[tested.balanced.case_ids[tested.balanced.labels == 1]]
    # binomial(400, 1/2): sd 10; six of them
    assert positives.mean() == 200
    assert abs(positives - 200).max() < 60


@given(st.permutations(range(30)), st.integers(0, 2**63), st.integers(0, 30))
def test_thinning_knows_cases_not_places(order: list[int], seed: int, draw: int) -> None:
    ids, labels = np.arange(30) * 7, np.repeat([0, 1], 15)
    kept = ids[thin(ids, labels, "1:3", seed=seed, draw=draw)]
    shuffled = np.array(order)
    again = ids[shuffled][thin(ids[shuffled], labels[shuffled], "1:3", seed=seed, draw=draw)]
    assert sorted(kept) == sorted(again)
    assert len(kept) == 20


def test_a_small_layout_works_at_a_small_scale() -> None:
    protocol = Protocol((6, 7), "1:2", scale=Scale(8, 4, 4))
    split = protocol.member_split(np.arange(200) % 10, 0)
    assert counts(split.training) == [8, 4]
    assert counts(split.validation) == [4, 2]
    assert counts(protocol.test_set(np.arange(40) % 10).thinned) == [4, 2]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"classes": (1, 1)}, "one class twice"),
        ({"class_ratio": "1:101"}, "no positive beside 100"),
        ({"class_ratio": "nine"}, "not of the form"),
        ({"scale": Scale(300, 100, 1)}, "no positive beside 1 "),
    ],
)
def test_impossible_protocol_is_refused(arguments: dict, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        Protocol(**arguments)


def test_too_few_images_are_refused() -> None:
    with pytest.raises(UsageError, match="class 0 has 20 training images, the protocol wants 400"):
        Protocol().member_split(np.arange(200) % 10, 0)
    with pytest.raises(UsageError, match="class 12 has 0 test images"):
        Protocol((12, 1)).test_set(TEST)
    with pytest.raises(UsageError, match="wants 2 positives, there are 1"):
        thin(np.arange(5), np.array([0, 0, 0, 0, 1]), "1:2", seed=0)
