"""The paper's protocol on CIFAR10: which images train, validate and test each member, as pure functions.

A case is known by its id: its place in the official order, training images from 0, test images from 50,000. Every
choice ranks the ids of a class by a hash of (seed, purpose, id) and takes the first: no generator, no state. Of one
member, all class ratios share the negatives, and the positives of 1:19 that train are among those of 1:9 and 1:2.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostate_alm.cifar10.counter import random_words
from prostate_alm.cohort import parse_class_ratio
from prostate_alm.errors import UsageError

CLASS_PAIRS = ((0, 1), (6, 7))
CLASS_RATIOS = ("1:2", "1:9", "1:19")
FIRST_TEST_ID = 50_000
DRAWS = 20
_SPLIT, _TEST, _DRAW = 1, 2, 3  # purposes of a hash

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Scale:
    """How many negatives each part takes; the positives follow from the class ratio.

    Args:
        training: negatives that train a member.
        validation: negatives that validate it.
        test: negatives in the test set.
    """

    training: int = 300
    validation: int = 100
    test: int = 1000


PAPER = Scale()
SMOKE = Scale(training=60, validation=20, test=200)


@dataclass(frozen=True, eq=False)
class Selection:
    """Images chosen for one purpose, in the order of their ids.

    Args:
        case_ids: int64 (N,), unique, ascending.
        indices: int64 (N,), rows in the array of training or of test images.
        labels: int64 (N,), 1 = the pair's second class, the critical one.
    """

    case_ids: Ints
    indices: Ints
    labels: Ints

    def take(self, places: Ints) -> "Selection":
        """The chosen places, in the order of their ids."""
        places = np.sort(places)
        return Selection(self.case_ids[places], self.indices[places], self.labels[places])


@dataclass(frozen=True)
class MemberSplit:
    """Training and validation images of one ensemble member; they share none."""

    training: Selection
    validation: Selection


@dataclass(frozen=True)
class TestSet:
    """The protocol's test set, with positives thinned to the class ratio, and the balanced one beside it (Table 6)."""

    __test__ = False  # for pytest: not a test class

    thinned: Selection
    balanced: Selection


@dataclass(frozen=True)
class Protocol:
    """One class pair at one class ratio.

    Args:
        classes: class numbers (negative, positive); the second is critical.
        class_ratio: positives to negatives, as in `"1:9"`.
        seed: the run's seed; another seed, other images.
        scale: numbers of negatives.

    Raises:
        UsageError: if both classes are one, the ratio cannot be read, or it leaves a part without a positive.

    Example:
        >>> protocol = Protocol((0, 1), "1:9")
        >>> [protocol.positives(negatives) for negatives in (300, 100, 1000)]
        [33, 11, 111]
    """

    classes: tuple[int, int] = (0, 1)
    class_ratio: str = "1:2"
    seed: int = 0
    scale: Scale = PAPER

    def __post_init__(self) -> None:
        if self.classes[0] == self.classes[1]:
            raise UsageError(f"class pair {self.classes} is one class twice; choose two classes, as in (0, 1)")
        for negatives in (self.scale.training, self.scale.validation, self.scale.test):
            self.positives(negatives)

    def positives(self, negatives: int) -> int:
        """floor(negatives / ratio).

        Raises:
            UsageError: if this is 0.
        """
        return positives_for(negatives, self.class_ratio)

    def member_split(self, train_labels: Ints, member: int) -> MemberSplit:
        """The images of member 0, 1, ..., drawn from all training images of the two classes.

        Args:
            train_labels: int64 (N,), class numbers of all training images in the official order.
            member: another member, another draw.

        Raises:
            UsageError: if a class has too few images.
        """
        counts = [self.scale.training, self.scale.validation]
        chosen = []
        for label, class_number in enumerate(self.classes):
            wanted = [self.positives(count) for count in counts] if label else counts
            rows = _rows_of(train_labels, class_number, sum(wanted), "training")
            ranked = rows[_ranking(rows, self.seed, _SPLIT, member)]
            chosen.append(np.split(ranked[: sum(wanted)], [wanted[0]]))
        (train_negatives, validation_negatives), (train_positives, validation_positives) = chosen
        return MemberSplit(
            _selection(train_negatives, train_positives, first_id=0),
            _selection(validation_negatives, validation_positives, first_id=0),
        )

    def test_set(self, test_labels: Ints) -> TestSet:
        """The test set of all members: `scale.test` negatives, and as many positives before thinning.

        Args:
            test_labels: int64 (M,), class numbers of all test images in the official order.

        Raises:
            UsageError: if a class has too few images.
        """
        parts = []
        for class_number in self.classes:
            rows = _rows_of(test_labels, class_number, self.scale.test, "test")
            parts.append(rows[_ranking(rows + FIRST_TEST_ID, self.seed, _TEST)][: self.scale.test])
        balanced = _selection(*parts, first_id=FIRST_TEST_ID)
        return TestSet(next(self.draws(balanced, n=1)), balanced)

    def draws(self, balanced: Selection, n: int = DRAWS) -> Iterator[Selection]:
        """Seeded draws of the test positives beside all negatives; the first is the protocol's test set."""
        for draw in range(n):
            yield balanced.take(thin(balanced.case_ids, balanced.labels, self.class_ratio, seed=self.seed, draw=draw))


def positives_for(negatives: int, class_ratio: str) -> int:
    """floor(negatives / ratio), the number of positives that the ratio leaves.

    Raises:
        UsageError: if this is 0.
    """
    count = math.floor(negatives / parse_class_ratio(class_ratio))
    if count < 1:
        raise UsageError(f"class ratio {class_ratio} leaves no positive beside {negatives} negatives; choose another")
    return count


def thin(case_ids: Ints, labels: Ints, class_ratio: str, *, seed: int, draw: int = 0) -> Ints:
    """Places of all negatives and of floor(negatives / ratio) drawn positives, ascending.

    Args:
        case_ids: int64 (N,).
        labels: int64 (N,), {0, 1}.
        class_ratio: as in `"1:9"`.
        seed: the run's seed.
        draw: another draw, other positives.

    Raises:
        UsageError: if the ratio wants no positive, or more than there are.
    """
    negatives, positives = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    wanted = positives_for(len(negatives), class_ratio)
    if wanted > len(positives):
        raise UsageError(
            f"class ratio {class_ratio} wants {wanted} positives, there are {len(positives)}; choose another"
        )
    kept = positives[_ranking(case_ids[positives], seed, _DRAW, draw)][:wanted]
    return np.sort(np.concatenate([negatives, kept]))


def _ranking(case_ids: Ints, *words: int) -> Ints:
    return np.argsort(random_words(*words, case_ids), kind="stable")


def _rows_of(labels: Ints, class_number: int, wanted: int, part: str) -> Ints:
    rows = np.flatnonzero(labels == class_number)
    if len(rows) < wanted:
        raise UsageError(
            f"class {class_number} has {len(rows)} {part} images, the protocol wants {wanted}; is the data complete?"
        )
    return rows


def _selection(negatives: Ints, positives: Ints, *, first_id: int) -> Selection:
    rows = np.concatenate([negatives, positives])
    labels = np.repeat(np.array([0, 1], np.int64), [len(negatives), len(positives)])
    order = np.argsort(rows)
    return Selection(rows[order] + first_id, rows[order], labels[order])
