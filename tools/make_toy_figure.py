"""Draw docs/images/toy.svg: the toy example of Fig. 1 and Appendix A of the paper, with the package's own constraint.

    python tools/make_toy_figure.py

A maintainer's script: the package never imports it. The numbers in the bars are computed, not written.
"""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor

from prostate_alm.alm import constraint_term, violations
from prostate_alm.metrics import roc_points

ORDER = "+--++-++++"  # low to high
SWAPS = {"raise the lowest positive": 0, "lower the highest negative": 4}  # place of the left one of the pair
BOXES = {"raise the lowest positive": (2 / 3, 6 / 7), "lower the highest negative": (0.0, 4 / 7)}
COLOURS, HATCHES = ("#0072b2", "#e69f00"), ("///", "...")  # safe for colour-blind readers, and in print without colour
CONSTRAINTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "one per positive\n(the paper's)": lambda p, n: violations(p, n, 0.0),
    "one per negative": lambda p, n: violations(-n, -p, 0.0),
    "one per pair": lambda p, n: torch.relu(n - p[:, None]).flatten(),
}
OUT = Path(__file__).parents[1] / "docs" / "images" / "toy.svg"


def cost(order: str, amounts: Callable[[Tensor, Tensor], Tensor]) -> float:
    """mu q^2 / 2 + lambda q, summed, at mu = lambda = 1 and distance 1; margin 0, not divided by N+ N-."""
    score = torch.arange(len(order), dtype=torch.float64)
    critical = torch.tensor([mark == "+" for mark in order])
    q = amounts(score[critical], score[~critical])
    return len(q) * float(constraint_term(q, torch.ones_like(q), penalty=1.0, negatives=1))


def swapped(left: int) -> str:
    """The order after the samples at `left` and right of it have changed places."""
    return ORDER[:left] + ORDER[left + 1] + ORDER[left] + ORDER[left + 2 :]


def draw_ranking(axes: Axes) -> None:
    """Ten samples by their logit, and the two swaps."""
    for place, mark in enumerate(ORDER):
        shape, face = ("o", "black") if mark == "+" else ("^", "white")
        axes.plot(place, 0, shape, markersize=10, markerfacecolor=face, markeredgecolor="black")
    for (name, left), colour in zip(SWAPS.items(), COLOURS, strict=True):
        arrow = {"arrowstyle": "<->", "color": colour, "lw": 2, "connectionstyle": "arc3,rad=-0.9"}
        axes.annotate("", (left + 1, 0.06), (left, 0.06), arrowprops=arrow)
        axes.text(left + 0.5, 0.55, name, ha="center", color=colour, fontsize=9)
    axes.text(9.5, -0.55, "higher logit \N{RIGHTWARDS ARROW}", ha="right", fontsize=9)
    axes.text(-0.5, -0.55, "\N{BLACK CIRCLE} positive   \N{WHITE UP-POINTING TRIANGLE} negative", fontsize=9)
    axes.set(xlim=(-1.5, 10), ylim=(-0.8, 0.9))
    axes.axis("off")


def draw_roc(axes: Axes) -> None:
    """The ROC curve, and the box that each swap adds."""
    points = roc_points(range(len(ORDER)), [int(mark == "+") for mark in ORDER])
    axes.plot(points.fpr, points.tpr, color="black")
    for (x, y), colour, hatch in zip(BOXES.values(), COLOURS, HATCHES, strict=True):
        axes.add_patch(Rectangle((x, y), 1 / 3, 1 / 7, facecolor=colour, alpha=0.6, hatch=hatch, edgecolor="black"))
    axes.set(xlabel="false-positive rate", ylabel="true-positive rate", xlim=(-0.02, 1.02), ylim=(0, 1.02))
    axes.set_title("the same gain in AUC", fontsize=10)


def draw_gains(axes: Axes) -> None:
    """By how much each swap lowers the cost under each constraint."""
    width = 0.38
    for number, (swap, colour, hatch) in enumerate(zip(SWAPS, COLOURS, HATCHES, strict=True)):
        gains = [cost(ORDER, amounts) - cost(swapped(SWAPS[swap]), amounts) for amounts in CONSTRAINTS.values()]
        places = [group + (number - 0.5) * width for group in range(len(gains))]
        bars = axes.bar(places, gains, width, color=colour, alpha=0.6, hatch=hatch, edgecolor="black", label=swap)
        axes.bar_label(bars, fmt="%g", fontsize=9)
    axes.set_xticks(range(len(CONSTRAINTS)), list(CONSTRAINTS), fontsize=9)
    axes.set(ylabel="cost falls by", ylim=(0, 30))
    axes.set_title("what the constraint prefers", fontsize=10)
    axes.legend(fontsize=8, frameon=False)


def main() -> None:
    """Write the figure; the same bytes every time."""
    mpl.rcParams |= {"svg.hashsalt": "toy", "svg.fonttype": "none"}
    figure = pyplot.figure(figsize=(8.5, 5.2), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 2.6))
    draw_ranking(top.subplots())
    left, right = bottom.subplots(1, 2, width_ratios=(1, 1.4))
    draw_roc(left)
    draw_gains(right)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(OUT, metadata={"Date": None})


if __name__ == "__main__":
    main()
