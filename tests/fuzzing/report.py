"""The table of outcomes, the violations, and the gate that triage puts before every decision."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from fuzzing.verdict import ALLOWED, READ, SAME, VIOLATIONS, OfStudy
from fuzzing.worker import Outcome
from prostate_alm.triage.decision import Outcome as Decision
from prostate_alm.triage.decision import decide


def violations(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Everything that must not be, in the order of the seeds."""
    wrong = (one for one in outcomes if one.outcome in VIOLATIONS or wrongly_negative(one))
    return sorted(wrong, key=lambda one: one.seed)


def could_be_negative(study: OfStudy) -> bool:
    """True if triage's own gate would let the study be `dce_not_required`, whatever the network made of it."""
    logit = -1e9 if study.complete else None
    return decide(logit, 0.0, study.problems) is Decision.DCE_NOT_REQUIRED


def wrongly_negative(outcome: Outcome) -> bool:
    """True if a study could be `dce_not_required` that was not read to the same volumes."""
    return any(could_be_negative(study) and study.verdict.outcome not in READ for study in outcome.studies)


def table(outcomes: Sequence[Outcome]) -> str:
    """Kind of mutation x outcome."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in outcomes:
        counts[one.kind][one.outcome] += 1
    columns = [name for name in (*ALLOWED, *VIOLATIONS) if name in ALLOWED or any(name in c for c in counts.values())]
    width = max((len(kind) for kind in counts), default=4)
    lines = [" ".join([f"{'kind':<{width}}", f"{'all':>6}", *(f"{name:>8}" for name in columns)])]
    total: Counter[str] = Counter()
    for kind, row in sorted(counts.items()):
        total += row
        lines.append(_line(kind, width, row, columns))
    lines.append(_line("all", width, total, columns))
    return "\n".join(lines)


def _line(kind: str, width: int, row: Counter[str], columns: Sequence[str]) -> str:
    cells = (f"{row[name] or '':>8}" for name in columns)
    return " ".join([f"{kind:<{width}}", f"{row.total():>6}", *cells])


def summary(outcomes: Sequence[Outcome]) -> str:
    """Slowest, largest, and how many could be decided on."""
    slowest = max(outcomes, key=lambda one: one.seconds)
    largest = max(outcomes, key=lambda one: one.peak_mib)
    decided = [study.verdict.outcome for one in outcomes for study in one.studies if could_be_negative(study)]
    return (
        f"{len(decided)} studies could be decided on, {decided.count(SAME)} of them with the very same volumes, "
        f"{sum(map(wrongly_negative, outcomes))} wrongly\n"
        f"slowest reading: {slowest.seconds:.1f} s ({slowest.kind}, {slowest.source}, seed {slowest.seed})\n"
        f"most memory: {largest.peak_mib:.0f} MiB more than before ({largest.kind}, {largest.source}, "
        f"seed {largest.seed})"
    )
