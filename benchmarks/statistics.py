"""What the statistics cost: rows per CPU-second, beside the same sums in plain NumPy and beside other libraries.

Run as ``python -m benchmarks.statistics``; needs the extra ``bench``. One thread. Every figure is the median of several
runs over blocks that are in memory already. What is compared runs in turns: believe the ratios. ``--wide`` measures
tables of 1,000 and 4,096 attributes, each in a process of its own, in a minute or two.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from river import stats as river_stats
from sklearn.decomposition import IncrementalPCA
from sklearn.preprocessing import StandardScaler

from smlnb.project import Project
from smlnb.schema import Schema
from smlnb.stats.base import Accumulator
from smlnb.stats.distinct import Distinct
from smlnb.stats.frequent import FrequentItems
from smlnb.stats.history import MINUTE, History
from smlnb.stats.lists import ListItems
from smlnb.stats.panes import Panes
from smlnb.stats.scores import ScoreQuantiles
from smlnb.stats.table import Table
from smlnb.stats.texts import TextLengths

WIDTHS = (10, 100, 1000)
BATCHES = (100, 500, 5000)
MOST_VALUES = 20_000_000  # of a run: wide tables get fewer rows
SETTLED_ROWS = 60_000  # that a table has seen before it is measured
SECONDS = 0.3
Block = NDArray[np.float64]
Step = Callable[[int], object]


def rates(steps: Mapping[str, Step], rows: int, *, repeat: int, warm_up: int = 3) -> dict[str, float]:
    """Return rows per CPU-second of each ``step(i)``, of ``rows`` rows: medians of ``repeat`` runs, in turns."""
    counts = {}
    for name, step in steps.items():
        for i in range(warm_up):
            step(i)
        started = time.process_time()
        step(warm_up)
        each = max(time.process_time() - started, 1e-6)
        counts[name] = max(1, min(int(SECONDS / each), MOST_VALUES // rows))
    at, found = warm_up + 1, {name: list[float]() for name in steps}
    for _ in range(repeat):
        for name, step in steps.items():
            started = time.process_time()
            for i in range(at, at + counts[name]):
                step(i)
            found[name].append(counts[name] * rows / max(time.process_time() - started, 1e-9))
        at += max(counts.values())
    return {name: float(np.median(of)) for name, of in found.items()}


def rate(step: Step, rows: int, *, repeat: int, warm_up: int = 3) -> float:
    """Return rows per CPU-second of one step."""
    return rates({"": step}, rows, repeat=repeat, warm_up=warm_up)[""]


def blocks_of(width: int, rows: int, count: int = 8) -> list[Block]:
    """Return different blocks, as many as fit into some 100 MB, so that not one stays in the cache by itself."""
    rng = np.random.default_rng([width, rows])
    count = max(2, min(count, 12_000_000 // (width * rows)))
    return [np.ascontiguousarray(rng.normal(size=(width, rows))) for _ in range(count)]


def records_of(blocks: Sequence[Block], names: list[str]) -> list[pa.RecordBatch]:
    """Return the blocks as Arrow record batches."""
    return [pa.RecordBatch.from_arrays([pa.array(column) for column in block], names=names) for block in blocks]


def multiplying(blocks: list[Block]) -> Step:
    """Return a step that multiplies one block with itself."""
    return lambda i: blocks[i % len(blocks)] @ blocks[i % len(blocks)].T


def plain_numpy(blocks: list[Block]) -> Step:
    """Return a step of the same arithmetic, without care: sums of powers and products, and 64 equal bins."""
    width, bins = len(blocks[0]), 64
    low, high = -6.0, 6.0  # a range that has to be known before
    squares, places = np.empty_like(blocks[0]), np.empty(blocks[0].shape, np.int64)
    first = (np.arange(width) * bins)[:, None]
    sums, extremes = np.zeros((4, width)), np.array([[np.inf], [-np.inf]]).repeat(width, axis=1)
    gram, counts = np.zeros((width, width)), np.zeros(width * bins, np.int64)

    def step(i: int) -> None:
        x = blocks[i % len(blocks)]
        np.multiply(x, x, out=squares)
        sums[0] += x.sum(axis=1)
        sums[1] += squares.sum(axis=1)
        sums[2] += np.einsum("ij,ij->i", squares, x)
        sums[3] += np.einsum("ij,ij->i", squares, squares)
        np.minimum(extremes[0], x.min(axis=1), out=extremes[0])
        np.maximum(extremes[1], x.max(axis=1), out=extremes[1])
        gram[:] += x @ x.T
        np.subtract(x, low, out=squares)
        np.multiply(squares, bins / (high - low), out=squares)
        np.copyto(places, squares, casting="unsafe")
        np.add(places, first, out=places)
        counts[:] += np.bincount(places.ravel(), minlength=len(counts))

    return step


def table_of(width: int, *, histogram: bool, quantiles: bool) -> Table:
    """Return an empty table of continuous attributes."""
    return Table(Schema.of([f"x{i}" for i in range(width)], ["C"] * width), histogram=histogram, quantiles=quantiles)


def learning(width: int, blocks: list[Block], *, histogram: bool, quantiles: bool) -> Step:
    """Return a step that lets a table absorb one block whose numbers were read before."""
    table = table_of(width, histogram=histogram, quantiles=quantiles)
    records = records_of(blocks, list(table.schema.numeric))
    return lambda i: table.update_floats(blocks[i % len(blocks)], records[i % len(blocks)])


def heading(*columns: str) -> None:
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))


def compared(width: int, rows: int, repeat: int) -> dict[str, float]:
    """Rows per CPU-second of one product, of plain NumPy, and of tables that keep more and more."""
    blocks = blocks_of(width, rows)
    steps = {
        "product": multiplying(blocks),
        "numpy": plain_numpy(blocks),
        "sums": learning(width, blocks, histogram=False, quantiles=False),
        "cells": learning(width, blocks, histogram=True, quantiles=False),
        "all": learning(width, blocks, histogram=True, quantiles=True),
    }
    return rates(steps, rows, repeat=repeat, warm_up=max(4, min(100, SETTLED_ROWS // rows)))


def tables(widths: Sequence[int], batches: Sequence[int], repeat: int) -> None:
    """Table.update_floats beside plain NumPy on the same blocks."""
    print("\n## Table.update_floats: rows per CPU-second, and as a share of plain NumPy on the same blocks\n")
    print("Plain NumPy: count, s1 to s4, extremes, `X @ X.T`, 64 bins by one `bincount`; nothing centred or checked.\n")
    heading("columns", "batch", "`X @ X.T` alone", "plain NumPy", "moments + pairs", "+ histograms", "+ KLL")
    for width in widths:
        for rows in batches:
            found = compared(width, rows, repeat)
            cells = [f"{found[n]:,.0f} ({found[n] / found['numpy']:.2f})" for n in ("sums", "cells", "all")]
            first = f"| {width:,} | {rows:,} | {found['product']:,.0f} | {found['numpy']:,.0f} | "
            print(first + " | ".join(cells) + " |", flush=True)


def bars(repeat: int) -> None:
    """The promises at 10 columns and batches of 5,000."""
    print("\n## Promises at 10 columns and batches of 5,000, rows per CPU-second\n")
    found = compared(10, 5000, max(repeat, 7))
    third = found["numpy"] / 3
    for what, speed, bar, why in (
        (
            "moments, co-moments and histograms",
            found["cells"],
            min(8e6, third),
            f"8 M or {third / 1e6:.1f} M, a third of",
        ),
        ("the same and KLL", found["all"], 2e6, "2 M; beside"),
    ):
        met = "MET" if speed >= bar else "NOT MET"
        ratio = speed / found["numpy"]
        print(f"- {what}: {speed / 1e6:.2f} M; at least {why} plain NumPy; ratio {ratio:.2f}: {met}", flush=True)


def young(repeat: int) -> None:
    """What the first blocks of a new table cost, when its cells are still unknown."""
    print("\n## The first blocks of a new table of 10 columns with histograms: ns of CPU time per row\n")
    numbers = (1, 2, 4, 8, 32)
    heading("batch", *(f"first {n}" if n > 1 else "first" for n in numbers))
    for rows in BATCHES:
        blocks = blocks_of(10, rows, max(numbers))
        records = records_of(blocks, [f"x{i}" for i in range(10)])

        def fresh(count: int, blocks: list[Block] = blocks, records: list[pa.RecordBatch] = records) -> None:
            table = table_of(10, histogram=True, quantiles=False)
            for block, record in zip(blocks[:count], records, strict=False):
                table.update_floats(block, record)

        steps = {str(n): lambda _, n=n: fresh(n) for n in numbers}
        cells = [f"{1e9 / (int(n) * speed):,.0f}" for n, speed in rates(steps, rows, repeat=repeat).items()]
        print(f"| {rows:,} | " + " | ".join(cells) + " |", flush=True)


def wide(repeat: int) -> None:
    """Tables of many attributes, each width in a process of its own."""
    print("\n## Wide tables with histograms and KLL; memory in MB\n")
    heading(
        "columns",
        "batch",
        "us of CPU time per row",
        "times one `X @ X.T`",
        "table",
        "peak while learning",
        "process",
        "us per row, 1 % missing",
        "table then",
        "univariate(), s",
        "correlation(), s",
    )
    for width, rows, most in ((1000, 5000, 3), (4096, 2000, 1)):
        command = [sys.executable, "-m", "benchmarks.statistics", "--one-width", str(width), str(rows)]
        command += ["--repeat", str(min(repeat, most))]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        print(done.stdout.strip(), flush=True)


def one_width(width: int, rows: int, repeat: int) -> None:
    """Measure one table, and print its line."""
    rng = np.random.default_rng(width)
    block = rng.normal(size=(width, rows))
    names = [f"x{i}" for i in range(width)]
    record = pa.RecordBatch.from_arrays([pa.array(column) for column in block], names=names)

    def timed(step: Callable[[], object], times: int) -> float:
        spent = []
        for _ in range(times):
            started = time.process_time()
            step()
            spent.append(time.process_time() - started)
        return float(np.median(spent))

    def learned(data: Block) -> tuple[float, float, float]:
        table_of(width, histogram=True, quantiles=True).update_floats(data, record)  # makes the thread's buffers
        tracemalloc.start()
        table = table_of(width, histogram=True, quantiles=True)
        for _ in range(2):
            table.update_floats(data, record)
        size, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return timed(lambda: table.update_floats(data, record), repeat), size / 1e6, peak / 1e6

    product = timed(lambda: block @ block.T, repeat)
    spent, size, peak = learned(block)
    project = Project("wide", ",".join("C" * width))
    for part in (0, 1):
        project.learn(record.slice(part * rows // 2, rows // 2))
    univariate, correlation = timed(project.univariate, 1), timed(project.correlation, 1)
    process = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    del project
    block[rng.random(block.shape) < 0.01] = np.nan
    spent_missing, size_missing, _ = learned(block)
    cells = [f"{1e6 * spent / rows:,.0f}", f"{spent / product:.1f}", *(f"{m:,.0f}" for m in (size, peak, process))]
    cells += [f"{1e6 * spent_missing / rows:,.0f}", f"{size_missing:,.0f}", f"{univariate:.2f}", f"{correlation:.2f}"]
    print(f"| {width:,} | {rows:,} | " + " | ".join(cells) + " |")


def river_step(blocks: list[Block]) -> Step:
    """Univariate statistics of every column, row by row."""
    kinds = (
        river_stats.Mean,
        river_stats.Var,
        river_stats.Min,
        river_stats.Max,
        river_stats.Skew,
        river_stats.Kurtosis,
    )
    columns = [[kind() for kind in kinds] for _ in blocks[0]]
    values = [block.T.tolist() for block in blocks]

    def step(i: int) -> None:
        for row in values[i % len(values)]:
            for of_column, value in zip(columns, row, strict=True):
                for statistic in of_column:
                    statistic.update(value)

    return step


def sklearn_step(blocks: list[Block]) -> Step:
    """Means and variances, and principal components for the covariances."""
    scaler, components = StandardScaler(), IncrementalPCA()
    rows = [np.ascontiguousarray(block.T) for block in blocks]

    def step(i: int) -> None:
        X = rows[i % len(rows)]
        scaler.partial_fit(X)
        components.partial_fit(X)

    return step


def pandas_step(blocks: list[Block]) -> Step:
    """Describe and correlate: what a frame of one block costs, which pandas can't add up."""
    frames = [pd.DataFrame(block.T) for block in blocks]
    return lambda i: (frames[i % len(frames)].describe(), frames[i % len(frames)].corr())


def peers(rows: int, repeat: int) -> None:
    """Ours beside river, scikit-learn and pandas at 10 columns."""
    print(f"\n## Beside others: 10 columns, batches of {rows:,}\n")
    heading("what", "rows per CPU-second", "times slower than all of ours")
    blocks = blocks_of(10, rows)
    ours = "smlnb: moments to order 4, co-moments to (2, 2), histograms"
    steps = {
        ours: learning(10, blocks, histogram=True, quantiles=False),
        "smlnb: the same and KLL": learning(10, blocks, histogram=True, quantiles=True),
        "scikit-learn: StandardScaler + IncrementalPCA, partial_fit": sklearn_step(blocks),
        "pandas: describe + corr of one block (does not add up)": pandas_step(blocks),
    }
    found = rates(steps, rows, repeat=repeat, warm_up=10)
    found["river: Mean, Var, Min, Max, Skew, Kurtosis per column (no pairs)"] = rate(
        river_step(blocks_of(10, 500)), 500, repeat=repeat, warm_up=1
    )
    for name, speed in found.items():
        print(f"| {name} | {speed:,.0f} | {found[ours] / speed:,.1f} |", flush=True)


def columns_of(rows: int) -> dict[str, pa.Array]:
    """Return columns of different cardinality."""
    rng = np.random.default_rng(rows)
    texts = {f"text, {n:,} values": [f"value {v}" for v in rng.integers(0, n, rows)] for n in (10, 1000)}
    return {
        **{name: pa.array(values) for name, values in texts.items()},
        "text, all different": pa.array([f"user-{v}" for v in range(rows)]),
        "binary": pa.array(rng.integers(0, 2, rows).astype(float)),
        "whole numbers, 100 values": pa.array(rng.integers(0, 100, rows).astype(float)),
        "continuous": pa.array(rng.normal(size=rows)),
        "lists of 3 of 100 texts": pa.array([[f"item {v}" for v in row] for row in rng.integers(0, 100, (rows, 3))]),
    }


def sketches(rows: int, repeat: int) -> None:
    """Distinct counts, frequent items and the like, per column."""
    print(f"\n## Sketches: ns of CPU time per row and column, batches of {rows:,}\n")
    kinds = (Distinct, FrequentItems, TextLengths, ListItems)
    heading("column", *(kind.__name__ for kind in kinds))
    for name, column in columns_of(rows).items():
        cells = []
        for kind in kinds:
            fits = (kind is ListItems) == name.startswith("lists") and (
                kind is not TextLengths or name.startswith("text")
            )
            if not fits:
                cells.append("")
                continue
            accumulator: Accumulator = kind(1)
            speed = rate(lambda _, a=accumulator, c=column: a.update([c]), rows, repeat=repeat)
            cells.append(f"{1e9 / speed:,.0f}")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    scores = ScoreQuantiles()
    (block,) = blocks_of(1, rows)[:1]
    speed = rate(lambda _: scores.update(block), rows, repeat=repeat)
    print(f"\nScoreQuantiles (ReqSketch, k=12): {1e9 / speed:,.0f} ns per score")


def panes(rows: int, repeat: int) -> None:
    """What a window and a history add to a table."""
    print(f"\n## Panes: ns of CPU time per row, tables of 10 columns with histograms, batches of {rows:,}\n")
    heading("event time per batch", "table alone", "History", "Panes, 60 of a minute")
    names = [f"x{i}" for i in range(10)]
    schema, blocks = Schema.of(names, ["C"] * 10), blocks_of(10, rows)
    records = records_of(blocks, names)

    def make() -> Table:
        return Table(schema, quantiles=False)

    def timed(of: History[Table] | Panes[Table], step: int) -> Step:
        times = np.arange(rows) * step // rows

        def run(i: int) -> None:
            at = i % len(blocks)
            of.update(
                (blocks[at], records[at]), i * step + times, absorb=lambda table, part: table.update_floats(*part)
            )

        return run

    alone = 1e9 / rate(learning(10, blocks, histogram=True, quantiles=False), rows, repeat=repeat, warm_up=10)
    for label, step in (("1 second", 1000), ("10 seconds", 10_000), ("1 minute", MINUTE), ("10 minutes", 10 * MINUTE)):
        speeds = [
            1e9 / rate(timed(of, step), rows, repeat=repeat)
            for of in (History(make), Panes(make, size=MINUTE, keep=60))
        ]
        print(f"| {label} | {alone:,.0f} | {speeds[0]:,.0f} | {speeds[1]:,.0f} |", flush=True)
    history = History(make)
    run = timed(history, 10_000)
    for i in range(1000):
        run(i)
    for what, ask in (("between() over everything", history.between), ("total()", history.total)):
        started = time.process_time()
        ask()
        print(f"\n{what}, {len(history.panes)} panes: {1e3 * (time.process_time() - started):,.0f} ms")


def main() -> None:
    """Measure what was asked for and print tables."""
    parts = ("tables", "bars", "young", "peers", "sketches", "panes")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, help="take the median of N runs (default 5)")
    parser.add_argument("--columns", type=int, nargs="*", default=WIDTHS, help="default 10 100 1000")
    parser.add_argument("--batches", type=int, nargs="*", default=BATCHES, help="default 100 500 5000")
    parser.add_argument("--only", nargs="*", choices=parts, help="some of the parts (default all)")
    parser.add_argument("--wide", action="store_true", help="only tables of 1,000 and 4,096 columns")
    parser.add_argument("--one-width", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one_width:
        one_width(*options.one_width, options.repeat)
        return
    if options.wide:
        wide(options.repeat)
        return
    wanted = options.only or parts
    if "tables" in wanted:
        tables(options.columns, options.batches, options.repeat)
    for part in (bars, young):
        if part.__name__ in wanted:
            part(options.repeat)
    for part in (peers, sketches, panes):
        if part.__name__ in wanted:
            part(max(options.batches), options.repeat)


if __name__ == "__main__":
    main()
