"""The constraint and its multipliers, against Eq. 8 written as a double loop."""

import hashlib
import math
import shutil
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from prostate_alm import alm
from prostate_alm.alm import (
    Multipliers,
    PenaltySchedule,
    case_key,
    constraint_term,
    dense_violations,
    sorted_violations,
    violations,
)

Violations = Callable[[Tensor, Tensor, float], Tensor]
WAYS: list[Violations] = [violations, dense_violations, sorted_violations]
scores = st.lists(st.integers(-40, 40).map(lambda tenth: tenth / 8), max_size=7)
margins = st.sampled_from([0.0, 0.5, 1.0, 2.0])


def double_loop(positives: list[float], negatives: list[float], margin: float) -> tuple[list[float], ...]:
    """q of Eq. 8, and the gradient of sum_j (j + 1) q_j with respect to either class."""
    amounts = [0.0] * len(positives)
    by_positive, by_negative = [0.0] * len(positives), [0.0] * len(negatives)
    for j, positive in enumerate(positives):
        for k, negative in enumerate(negatives):
            gap = margin - (positive - negative)
            if gap > 0:
                amounts[j] += gap
                by_positive[j] -= j + 1
                by_negative[k] += j + 1
    return amounts, by_positive, by_negative


def leaves(*values: list[float]) -> list[Tensor]:
    return [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in values]


@pytest.mark.parametrize("way", WAYS)
@given(positives=scores, negatives=scores, margin=margins)
def test_violations_equal_the_double_loop_in_value_and_gradient(
    way: Violations, positives: list[float], negatives: list[float], margin: float
) -> None:
    wanted, by_positive, by_negative = double_loop(positives, negatives, margin)
    p, n = leaves(positives, negatives)
    amounts = way(p, n, margin)
    (amounts * torch.arange(1, len(positives) + 1)).sum().backward()
    assert amounts.tolist() == pytest.approx(wanted, abs=1e-12)
    assert bool((amounts >= 0).all())
    assert p.grad is not None
    assert n.grad is not None
    assert p.grad.tolist() == by_positive
    assert n.grad.tolist() == by_negative


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("positives", "negatives", "margin", "wanted"),
    [
        ([1.0], [0.0], 1.0, [0.0]),  # exactly the margin: satisfied
        ([0.0, 0.0], [0.0, 0.0, 0.0], 0.0, [0.0, 0.0]),  # all equal, no margin
        ([0.0, 0.0], [0.0, 0.0, 0.0], 0.5, [1.5, 1.5]),
        ([], [1.0], 1.0, []),
        ([1.0, -1.0], [], 1.0, [0.0, 0.0]),
    ],
)
def test_ties_duplicates_and_empty_classes(
    way: Violations, positives: list[float], negatives: list[float], margin: float, wanted: list[float]
) -> None:
    p, n = leaves(positives, negatives)
    amounts = way(p, n, margin)
    assert amounts.tolist() == wanted
    (amounts * torch.arange(1, len(positives) + 1)).sum().backward()
    assert p.grad is not None
    assert p.grad.tolist() == double_loop(positives, negatives, margin)[1]


@pytest.mark.parametrize("way", WAYS)
def test_gradcheck_away_from_the_kinks(way: Violations) -> None:
    generator = torch.Generator().manual_seed(3)
    p = torch.randn(4, dtype=torch.float64, generator=generator).requires_grad_()
    n = torch.randn(6, dtype=torch.float64, generator=generator).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: way(a, b, 1.0), (p, n))


tenths = st.lists(st.integers(-40, 40).map(lambda tenth: tenth / 10), min_size=1, max_size=9)


@given(positives=tenths, negatives=tenths, margin=st.sampled_from([0.0, 0.3, 1.0]))
def test_both_ways_see_the_same_ties_in_float32(positives: list[float], negatives: list[float], margin: float) -> None:
    """A tenth is no binary number: only arithmetic that does not round gives one gradient at a tie."""
    found: list[list[Tensor]] = []
    for way in (dense_violations, sorted_violations):
        p, n = (torch.tensor(values, requires_grad=True) for values in (positives, negatives))
        amounts = way(p, n, margin)
        found.append([amounts.detach(), *torch.autograd.grad(amounts.sum(), (p, n))])
    for dense, by_sorting in zip(*found, strict=True):
        torch.testing.assert_close(by_sorting, dense, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("margin", [-0.1, math.nan])
def test_a_margin_below_zero_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="margin must be >= 0"):
        violations(torch.zeros(1), torch.zeros(1), margin)


@given(positives=scores.filter(bool), negatives=scores, margin=margins, shift=st.integers(-8, 8))
def test_violations_ignore_a_common_shift_and_grow_with_the_margin(
    positives: list[float], negatives: list[float], margin: float, shift: int
) -> None:
    p, n = torch.tensor(positives, dtype=torch.float64), torch.tensor(negatives, dtype=torch.float64)
    amounts = violations(p, n, margin)
    assert torch.equal(violations(p + shift, n + shift, margin), amounts)
    assert bool((violations(p, n, margin + 0.25) >= amounts).all())


@pytest.mark.parametrize(
    ("pairs", "used"), [(alm.SORT_FROM_PAIRS - 1, "dense_violations"), (alm.SORT_FROM_PAIRS, "sorted_violations")]
)
def test_the_way_is_chosen_by_the_number_of_pairs(monkeypatch: pytest.MonkeyPatch, pairs: int, used: str) -> None:
    monkeypatch.setattr(alm, used, lambda *_: "chosen")
    assert violations(torch.zeros(1), torch.zeros(pairs), 1.0) == "chosen"


def test_both_ways_agree_where_the_size_switches() -> None:
    generator = torch.Generator().manual_seed(0)
    results: list[list[Tensor]] = []
    values = [torch.randn(size, generator=generator) for size in (64, alm.SORT_FROM_PAIRS // 64)]
    for way in (violations, dense_violations):
        p, n = (value.clone().requires_grad_() for value in values)
        way(p, n, 1.0).square().mean().backward()
        assert p.grad is not None
        assert n.grad is not None
        results.append([way(p, n, 1.0).detach(), p.grad, n.grad])
    for ours, wanted in zip(*results, strict=True):
        torch.testing.assert_close(ours, wanted, rtol=2e-5, atol=1e-5)


@given(positives=scores, negatives=scores, margin=margins, seed=st.integers(0, 99))
def test_order_does_not_matter(positives: list[float], negatives: list[float], margin: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    p, n = (torch.tensor(values, dtype=torch.float64) for values in (positives, negatives))
    order = torch.randperm(len(p), generator=generator)
    mixed = n[torch.randperm(len(n), generator=generator)]
    for way in WAYS:
        torch.testing.assert_close(way(p[order], mixed, margin), way(p, n, margin)[order], rtol=0, atol=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_extreme_logits_stay_finite(way: Violations) -> None:
    for p, n in ((-1e4, 1e4), (1e4, -1e4), (1e4, 1e4)):
        positives, negatives = (torch.full((3,), value, requires_grad=True) for value in (p, n))
        amounts = way(positives, negatives, 1.0)
        amounts.square().sum().backward()
        assert positives.grad is not None
        assert negatives.grad is not None
        assert bool(torch.cat([amounts, positives.grad, negatives.grad]).isfinite().all())


def test_a_common_offset_costs_no_digits_that_matter() -> None:
    generator = torch.Generator().manual_seed(5)
    p, n = (torch.randn(size, dtype=torch.float64, generator=generator) for size in (50, 20_000))
    torch.testing.assert_close(
        sorted_violations(p + 1e4, n + 1e4, 1.0), dense_violations(p, n, 1.0), rtol=1e-9, atol=1e-7
    )


def each_way(function: Callable[..., Tensor], dense: bool) -> list[Tensor]:
    """Values and gradients, by the table or by sorting."""
    generator = torch.Generator().manual_seed(2)
    p, n = (torch.randn(size, generator=generator).requires_grad_() for size in (6, 11))
    amounts = function(p, n, 1.0, 10_000 if dense else 0)
    return [amounts.detach(), *torch.autograd.grad(amounts.square().sum(), (p, n))]


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # what is tested is deprecated upstream
@pytest.mark.parametrize("dense", [True, False])
def test_the_functional_core_scripts(dense: bool) -> None:
    scripted = torch.jit.script(violations)
    torch.testing.assert_close(each_way(scripted, dense), each_way(violations, dense))
    terms = [
        term(torch.ones(2), torch.ones(2), 0.3, 4) for term in (torch.jit.script(constraint_term), constraint_term)
    ]
    assert torch.equal(*terms)


COMPILERS = [
    "aot_eager",
    pytest.param(
        "inductor",
        marks=[
            pytest.mark.slow,
            pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler here"),
        ],
    ),
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::DeprecationWarning:copyreg")
@pytest.mark.parametrize("backend", COMPILERS)
def test_the_functional_core_compiles(backend: str) -> None:
    compiled = torch.compile(violations, backend=backend, fullgraph=True)
    for dense in (True, False):
        torch.testing.assert_close(each_way(compiled, dense), each_way(violations, dense), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_violations_are_float32_or_better(dtype: torch.dtype) -> None:
    amounts = violations(torch.zeros(1, dtype=dtype), torch.full((300,), 0.25, dtype=dtype), 1.0)
    assert amounts.dtype == torch.promote_types(dtype, torch.float32)
    assert amounts.tolist() == [375.0]  # bfloat16 could not count so far


def test_constraint_term_is_eq_8() -> None:
    amounts, multipliers = [0.5, 2.0, 0.0], [1.0, 0.25, 3.0]
    wanted = sum(0.3 * q * q / (2 * 3 * 4) + m * q / (3 * 4) for q, m in zip(amounts, multipliers, strict=True))
    tensors = [torch.tensor(values, dtype=torch.float64) for values in (amounts, multipliers)]
    assert float(constraint_term(*tensors, penalty=0.3, negatives=4)) == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize(("positives", "negatives"), [([], [1.0]), ([1.0], []), ([], [])])
def test_a_missing_class_gives_an_exact_zero_in_the_graph(positives: list[float], negatives: list[float]) -> None:
    p, n = leaves(positives, negatives)
    term = constraint_term(violations(p, n, 1.0), torch.ones(len(positives)), 0.2, len(negatives))
    term.backward()
    assert float(term.detach()) == 0.0
    assert p.grad is not None
    assert p.grad.tolist() == [0.0] * len(positives)


# Figure 1 and Appendix A: which swap lowers the cost more; distance 1, penalty and multipliers 1, margin 0, undivided


def cost(order: str, amounts: Callable[[Tensor, Tensor], Tensor]) -> float:
    score = torch.arange(len(order), dtype=torch.float64)
    critical = torch.tensor([mark == "+" for mark in order])
    q = amounts(score[critical], score[~critical])
    return float(q.square().sum() / 2 + q.sum())


def swapped(order: str, left: int) -> str:
    return order[:left] + order[left + 1] + order[left] + order[left + 2 :]


def gains(amounts: Callable[[Tensor, Tensor], Tensor]) -> tuple[float, float]:
    """What is gained by raising the lowest positive one place, and by lowering the highest negative one place."""
    order = "+--++-++++"
    before = cost(order, amounts)
    return before - cost(swapped(order, 0), amounts), before - cost(swapped(order, 4), amounts)


def test_toy_example_a_constraint_per_positive_prefers_the_lowest_positive() -> None:
    assert gains(lambda p, n: violations(p, n, 0.0)) == (39 / 2 + 3, 19 / 2 + 3)
    assert gains(lambda p, n: violations(p, n, 1.0))[0] == 72 / 2 + 4
    assert gains(lambda p, n: violations(p, n, 1.0))[1] == 30 / 2 + 4


def test_toy_example_the_two_alternatives_do_not() -> None:
    per_negative = gains(lambda p, n: violations(-n, -p, 0.0))
    assert per_negative[1] > per_negative[0]
    per_pair = gains(lambda p, n: torch.relu(n - p[:, None]).flatten())
    assert per_pair[0] == per_pair[1]


def test_case_keys_are_stable_and_63_bits() -> None:
    digest = int.from_bytes(hashlib.blake2b(b"case", digest_size=8).digest(), "big")
    assert case_key("case") == digest >> 1
    assert [case_key(number) for number in (0, 7, 2**63 - 1)] == [0, 7, 2**63 - 1]


@pytest.mark.parametrize("number", [-1, 2**63])
def test_case_key_rejects_integers_out_of_range(number: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        case_key(number)


def test_multipliers_follow_the_id_and_add_up_when_drawn_twice() -> None:
    multipliers = Multipliers()
    multipliers.add(["a", "b", "a"], [0.5, 1.0, 0.25])
    multipliers.add(torch.tensor([case_key("b")]), [0.5])
    assert multipliers.of(["new", "b", "a"]).tolist() == [0.0, 1.5, 0.75]
    assert (len(multipliers), multipliers.largest) == (2, 1.5)
    assert Multipliers().largest == 0.0


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 10)), max_size=20))
def test_multipliers_never_fall(draws: list[tuple[str, float]]) -> None:
    multipliers = Multipliers()
    before = multipliers.of("abcd")
    for case_id, increment in draws:
        multipliers.add([case_id], [increment])
        after = multipliers.of("abcd")
        assert bool((after >= before).all())
        before = after


@pytest.mark.parametrize(
    ("ids", "increments"), [(["a"], []), (["a"], [-0.1]), (["a"], [math.nan]), (["a", "b"], [1.0, math.inf])]
)
def test_multipliers_reject_bad_increments_and_stay_as_they_were(ids: list[str], increments: list[float]) -> None:
    multipliers = Multipliers()
    with pytest.raises(ValueError, match=r"increments|raised"):
        multipliers.add(ids, increments)
    assert len(multipliers) == 0


def test_two_strings_with_one_key_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alm, "case_key", lambda _: 5)
    multipliers = Multipliers()
    multipliers.add(["a", "a"], [1.0, 1.0])
    with pytest.raises(ValueError, match="share one key"):
        multipliers.of(["b"])


@pytest.mark.parametrize("ids", [["a", "b"], [1, 2], torch.tensor([1, 2])])
def test_an_unknown_id_is_refused(ids: list[str] | Tensor) -> None:
    multipliers = Multipliers(ids)
    multipliers.add(ids, [0.5, 1.0])
    assert multipliers.of(ids).tolist() == [0.5, 1.0]
    for stranger in (["c"], [3], torch.tensor([3])):
        with pytest.raises(ValueError, match=r"case id '?[c3]'? is none of the 2 training cases"):
            multipliers.add(stranger, [1.0])
    assert len(multipliers) == 2


@pytest.mark.parametrize(("ids", "named"), [(["a", "b", "a"], "a"), ([4, 4], "4")])
def test_a_training_set_has_no_case_twice(ids: list[str], named: str) -> None:
    with pytest.raises(ValueError, match=f"case id {named} stands twice"):
        Multipliers(ids)


@pytest.mark.parametrize("ids", [torch.tensor([1.5]), torch.tensor([True]), [1.5], [True], [None]])
def test_what_is_neither_text_nor_a_whole_number_is_no_id(ids: list[str] | Tensor) -> None:
    with pytest.raises(ValueError, match=r"must (hold|be a string or an) integer"):
        Multipliers().of(ids)


@pytest.mark.parametrize(
    ("keys", "values", "message"),
    [([3], [1.0], "none of the 2 training cases"), ([1], [-0.5], "finite and >= 0"), ([1], [math.nan], "finite")],
)
def test_a_state_that_cannot_be_is_refused(keys: list[int], values: list[float], message: str) -> None:
    multipliers = Multipliers([1, 2])
    multipliers.add([2], [0.25])
    with pytest.raises(ValueError, match=message):
        multipliers.load_state_dict({"keys": torch.tensor(keys), "values": torch.tensor(values)})
    assert multipliers.of([1, 2]).tolist() == [0.0, 0.25]


@pytest.mark.parametrize(
    ("penalty", "previous"), [(math.nan, None), (math.inf, None), (0.0, None), (5.0, None), (0.3, 1.5), (0.3, math.nan)]
)
def test_a_penalty_that_cannot_be_is_refused(penalty: float, previous: float | None) -> None:
    schedule = PenaltySchedule(0.2, 3.0, cap=1.0)
    with pytest.raises(ValueError, match=r"penalty must be|AUC must be"):
        schedule.load_state_dict({"penalty": penalty, "previous_auc": previous})
    assert schedule.state_dict() == {"penalty": 0.2, "previous_auc": None}


def test_multipliers_survive_their_state() -> None:
    multipliers, copy = Multipliers(), Multipliers()
    multipliers.add(["a", 7, "b"], [0.1, 0.2, 0.3])
    state = multipliers.state_dict()
    assert state["keys"].tolist() == sorted(state["keys"].tolist())
    copy.load_state_dict(state)
    assert torch.equal(copy.of(["b", "a", 7, "c"]), multipliers.of(["b", "a", 7, "c"]))


def test_penalty_grows_exactly_when_the_auc_fell() -> None:
    schedule = PenaltySchedule(penalty=0.2, growth=2.0)
    aucs = [0.7, 0.6, 0.6, 0.9, 0.89, 0.88]
    assert [schedule.step(auc) for auc in aucs] == [0.2, 0.4, 0.4, 0.4, 0.8, 1.6]


def test_penalty_stops_at_its_cap() -> None:
    schedule = PenaltySchedule(penalty=0.2, growth=4.0, cap=1.0)
    assert [schedule.step(auc) for auc in (0.9, 0.8, 0.7, 0.6)] == [0.2, 0.8, 1.0, 1.0]


def test_penalty_survives_its_state() -> None:
    schedule, copy = PenaltySchedule(0.2, 3.0), PenaltySchedule(0.2, 3.0)
    schedule.step(0.9)
    schedule.step(0.8)
    copy.load_state_dict(schedule.state_dict())
    assert copy.step(0.7) == schedule.step(0.7) == pytest.approx(1.8)


@pytest.mark.parametrize(
    ("penalty", "growth", "cap"),
    [(0.0, 2.0, None), (-1.0, 2.0, None), (math.inf, 2.0, None), (0.2, 1.0, None), (0.2, math.nan, None),
     (0.2, 2.0, 0.1), (0.2, 2.0, math.nan)],
)  # fmt: skip
def test_penalty_rejects_parameters_out_of_range(penalty: float, growth: float, cap: float | None) -> None:
    with pytest.raises(ValueError, match=r"penalty|growth"):
        PenaltySchedule(penalty, growth, cap)


@pytest.mark.parametrize("auc", [-0.01, 1.01, math.nan])
def test_penalty_rejects_what_is_no_auc(auc: float) -> None:
    with pytest.raises(ValueError, match="AUC"):
        PenaltySchedule(0.2, 2.0).step(auc)
