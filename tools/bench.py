"""`make bench`: speed as ratios, each measured side by side in one run, since machines differ and are noisy.

    python tools/bench.py [method|statistics|trainer|studies|bundles|triage|reproduction ...]

Prints a table; with all parts it writes bench.json beside the Makefile, a list of {name, ours, reference, ratio, goal,
met, unit, comparison}.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import bench_bundles
import bench_method
import bench_reproduction
import bench_statistics
import bench_studies
import bench_trainer
import bench_triage
import torch
from bench_rows import Row

PARTS = {
    "method": bench_method.rows,
    "statistics": bench_statistics.rows,
    "trainer": bench_trainer.rows,
    "studies": bench_studies.rows,
    "bundles": bench_bundles.rows,
    "triage": bench_triage.rows,
    "reproduction": bench_reproduction.rows,
}


def line(row: Row) -> str:
    """One line of the table."""
    sign = ">=" if "at least" in row.comparison else "<="
    measured = f"{row.ours:>10.4g} {row.reference:>10.4g} {row.unit:<15} {row.ratio:>8.3g}"
    return f"{row.name:<82} {measured} {sign} {row.goal:<5g} {'yes' if row.met else 'NO'}"


def main() -> None:
    """Measure everything, or the parts that are named; print, write bench.json."""
    torch.set_num_threads(1)
    names = sys.argv[1:] or list(PARTS)
    print(f"{'name':<82} {'ours':>10} {'reference':>10} {'unit':<15} {'ratio':>8} goal     met")
    rows: list[Row] = []
    for name in names:
        for row in PARTS[name]():
            print(line(row), flush=True)
            rows.append(row)
    if len(names) < len(PARTS):
        return
    (Path(__file__).parents[1] / "bench.json").write_text(
        json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
