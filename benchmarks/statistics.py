"""What the statistics cost: rows per CPU-second, beside one matrix product and beside river, scikit-learn and pandas.

Run as ``python -m benchmarks.statistics``; needs the extra ``bench``. One thread. Every figure is the median of several
runs over blocks that are in memory already; a run starts with statistics that have seen some blocks, as in use.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from river import stats as river_stats
from sklearn.decomposition import IncrementalPCA
from sklearn.preprocessing import StandardScaler

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
SECONDS = 0.4
Block = NDArray[np.float64]
Step = Callable[[int], object]


def rate(step: Step, rows: int, *, repeat: int, seconds: float = SECONDS, warm_up: int = 3) -> float:
    """Return rows per CPU-second of ``step(i)``, which takes ``rows`` rows: the median of ``repeat`` runs."""
    for i in range(warm_up):
        step(i)
    started = time.process_time()
    step(warm_up)
    each = max(time.process_time() - started, 1e-6)
    steps = max(1, min(int(seconds / each), MOST_VALUES // rows))
    rates, at = [], warm_up + 1
    for _ in range(repeat):
        started = time.process_time()
        for i in range(at, at + steps):
            step(i)
        rates.append(steps * rows / max(time.process_time() - started, 1e-9))
        at += steps
    return float(np.median(rates))


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


def learning(width: int, blocks: list[Block], *, histogram: bool, quantiles: bool) -> Step:
    """Return a step that lets a table absorb one block whose numbers were read before."""
    names = [f"x{i}" for i in range(width)]
    table = Table(Schema.of(names, ["C"] * width), histogram=histogram, quantiles=quantiles)
    records = records_of(blocks, names)
    return lambda i: table.update_floats(blocks[i % len(blocks)], records[i % len(blocks)])


def heading(*columns: str) -> None:
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))


def tables(widths: Sequence[int], batches: Sequence[int], repeat: int) -> None:
    """Table.update_floats beside one matrix product on the same blocks."""
    print("\n## Table.update_floats: rows per CPU-second, and times slower than one `X @ X.T` on the same block\n")
    heading("columns", "batch", "`X @ X.T`", "moments + pairs", "+ histograms", "+ KLL")
    for width in widths:
        for rows in batches:
            blocks = blocks_of(width, rows)
            product = rate(multiplying(blocks), rows, repeat=repeat)
            cells = []
            for options in ((False, False), (True, False), (True, True)):
                step = learning(width, blocks, histogram=options[0], quantiles=options[1])
                found = rate(step, rows, repeat=repeat, warm_up=6 if width < 1000 else 3)
                cells.append(f"{found:,.0f} ({product / found:,.1f})")
            print(f"| {width:,} | {rows:,} | {product:,.0f} | " + " | ".join(cells) + " |", flush=True)


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
    ours = rate(learning(10, blocks, histogram=True, quantiles=False), rows, repeat=repeat, warm_up=10)
    found = {
        "smlnb: moments to order 4, co-moments to (2, 2), histograms": ours,
        "smlnb: the same and KLL": rate(
            learning(10, blocks, histogram=True, quantiles=True), rows, repeat=repeat, warm_up=10
        ),
        "scikit-learn: StandardScaler + IncrementalPCA, partial_fit": rate(sklearn_step(blocks), rows, repeat=repeat),
        "pandas: describe + corr of one block (does not add up)": rate(pandas_step(blocks), rows, repeat=repeat),
        "river: Mean, Var, Min, Max, Skew, Kurtosis per column (no pairs)": rate(
            river_step(blocks_of(10, 500)), 500, repeat=repeat
        ),
    }
    for name, speed in found.items():
        print(f"| {name} | {speed:,.0f} | {ours / speed:,.1f} |", flush=True)


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
            speed = rate(lambda _, a=accumulator, c=column: a.update([c]), rows, repeat=repeat, seconds=SECONDS / 2)
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, help="take the median of N runs (default 5)")
    parser.add_argument("--columns", type=int, nargs="*", default=WIDTHS, help="default 10 100 1000")
    parser.add_argument("--batches", type=int, nargs="*", default=BATCHES, help="default 100 500 5000")
    parser.add_argument(
        "--only", nargs="*", choices=("tables", "peers", "sketches", "panes"), help="some of the parts (default all)"
    )
    options = parser.parse_args()
    wanted = options.only or ("tables", "peers", "sketches", "panes")
    if "tables" in wanted:
        tables(options.columns, options.batches, options.repeat)
    for part in (peers, sketches, panes):
        if part.__name__ in wanted:
            part(max(options.batches), options.repeat)


if __name__ == "__main__":
    main()
