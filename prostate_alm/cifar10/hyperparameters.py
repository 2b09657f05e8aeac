"""Table 8: the hyper-parameters that the search chose, beside the paper's."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from prostate_alm.cifar10.measures import TABLES, ensembles
from prostate_alm.cifar10.published import paper_arms, paper_rows
from prostate_alm.cifar10.results import ArmResult
from prostate_alm.cifar10.trainings import PARAMETERS
from prostate_alm.cohort import parse_class_ratio
from prostate_alm.losses import NEVER_CONSTRAINED
from prostate_alm.render.grid import Grid
from prostate_alm.training.parameters import CONSTRAINT

CLASSES = TABLES[2].classes  # those of the paper's Table 8
OWN = tuple(dict.fromkeys(PARAMETERS.values()))
REACHED = "highest_mu"  # of the members, at the end of training
VALIDATED = ("base", "continued", "alm")


@dataclass(frozen=True)
class Choice:
    """One hyper-parameter of one row, or the mean validation AUC that it was chosen by.

    Args:
        class_ratio: as in `"1:9"`.
        loss: as the paper names it.
        name: margin, gamma, weight or beta (the loss's own), mu, rho, delta, highest_mu, or
            validation_auc_<arm>.
        paper: the paper's choice as text; empty where it prints none, as for another class pair.
        ours: ours as text; empty where it is not known.
    """

    class_ratio: str
    loss: str
    name: str
    paper: str
    ours: str


CHOICE_COLUMNS = tuple(field.name for field in fields(Choice))


def choices(results: Sequence[ArmResult], classes: tuple[int, int] = CLASSES) -> list[Choice]:
    """Paper's and our hyper-parameters for every ratio and loss of a class pair of which there is a result.

    Args:
        results: members among them, and ensembles of other classes, are passed over.
        classes: class numbers, negative and positive.

    Raises:
        UsageError: if two results are of the same ratio, loss and arm.
    """
    found = {(r.class_ratio, r.loss, r.arm): r for r in ensembles(results, classes)}
    paper = dict(zip(paper_arms(8), paper_rows(8), strict=True)) if classes == CLASSES else {}
    rows: list[Choice] = []
    for ratio, loss, arm in paper_arms(8):
        arms = {name: found[ratio, loss, name] for name in VALIDATED if (ratio, loss, name) in found}
        if arm == "base" and arms:
            rows += _hyperparameters(arms, paper.get((ratio, loss, "base"), {}), paper.get((ratio, loss, "alm"), {}))
            rows += [
                Choice(ratio, loss, f"validation_auc_{name}", "", f"{100 * math.fsum(aucs) / len(aucs):.2f}")
                for name, result in arms.items()
                if (aucs := _validated(result))
            ]
    return rows


def choice_grid(rows: Sequence[Choice], classes: tuple[int, int] = CLASSES) -> Grid:
    """One line for each ratio and loss.

    Args:
        rows: of `choices`.
        classes: their class pair.
    """
    lines: dict[tuple[str, str], dict[str, Choice]] = {}
    for row in rows:
        lines.setdefault((row.class_ratio, row.loss), {})[row.name] = row
    groups = [("own parameter", ["name", "paper", "ours"]), ("mu(0)", ["paper", "ours"]), ("rho", ["paper", "ours"])]
    groups += [("delta", ["paper", "ours"]), ("highest mu, ours", [""]), ("validation AUC, ours", list(VALIDATED))]
    note = (
        "Ours by validation AUC alone, in percent, the mean over the members. N is the class ratio: W-BCE's weight of "
        "a positive. Highest mu: of the members, in the last epoch. MBAUC is never constrained."
    )
    title = "Table 8: hyper-parameters"
    if classes != CLASSES:
        title += f", classes {classes[0]} and {classes[1]}"
        note += " The paper prints none for these classes."
    return Grid(title, note, ["ratio", "loss"], groups, [(k, _cells(v)) for k, v in lines.items()])


def weight_name(weight: float, class_ratio: str) -> str:
    """W-BCE's weight as the paper names it, by the class ratio N; another weight as a number.

    Example:
        >>> weight_name(6.0, "1:9"), weight_name(9.0, "1:9"), weight_name(5.0, "1:9")
        ('2N/3', 'N', '5')
    """
    ratio = parse_class_ratio(class_ratio)
    for name, thirds in (("N/3", 1), ("2N/3", 2), ("N", 3)):
        if math.isclose(weight, thirds * ratio / 3, rel_tol=1e-3):
            return name
    return f"{weight:g}"


def _hyperparameters(arms: Mapping[str, ArmResult], base: Mapping[str, str], alm: Mapping[str, str]) -> list[Choice]:
    """The loss's own parameter, then what the constraint has; `base` and `alm` are the paper's rows."""
    first = next(iter(arms.values()))
    ratio, loss = first.class_ratio, first.loss
    parameter = next((p for r in arms.values() if (p := r.details.get("parameter")) is not None), None)
    own = [PARAMETERS[loss]] if loss in PARAMETERS else []
    rows = [Choice(ratio, loss, name, _text(base.get(name)), _ours(name, parameter, ratio)) for name in own]
    if loss.lower() in NEVER_CONSTRAINED:
        return rows
    details = arms["alm"].details if "alm" in arms else {}
    constraint = details.get("constraint") or {}
    rows += [
        Choice(ratio, loss, name, _text(alm.get(name)), _text(constraint.get(ours)))
        for name, ours in CONSTRAINT.items()
    ]
    reached = [mu for mu in details.get("penalties_reached") or () if mu]
    return rows + ([Choice(ratio, loss, REACHED, "", f"{max(reached):.3g}")] if reached else [])


def _validated(result: ArmResult) -> list[float]:
    """The validation AUCs that the members were chosen by; none if one is not known."""
    aucs = list(result.details.get("validation_aucs") or [])
    return [] if None in aucs else aucs


def _ours(name: str, parameter: Any, ratio: str) -> str:
    return weight_name(parameter, ratio) if name == "weight" and parameter is not None else _text(parameter)


def _text(value: Any) -> str:
    """A number in one way of writing, so that 2 and 2.0 are the same choice; a name as it is."""
    if value is None or value == "":
        return ""
    try:
        return f"{float(value):g}"
    except ValueError:
        return str(value)


def _cells(row: Mapping[str, Choice]) -> list[str]:
    own = [row[name] for name in OWN if name in row]
    cells = [own[0].name, own[0].paper, own[0].ours] if own else ["", "", ""]
    for name in CONSTRAINT:
        cells += [row[name].paper, row[name].ours] if name in row else ["", ""]
    shown = [REACHED, *(f"validation_auc_{arm}" for arm in VALIDATED)]
    return cells + [row[name].ours if name in row else "" for name in shown]
