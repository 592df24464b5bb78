"""What to look at first: one sentence for each thing that is odd about an attribute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import log2

import numpy as np
import pandas as pd

from smlnb.errors import SchemaError
from smlnb.exploration.association import entropy
from smlnb.exploration.names import listed
from smlnb.schema import Kind
from smlnb.stats.table import TableSummary

__all__ = ["Limits", "alerts"]

SEVERITIES = ("error", "warning", "info")
Alert = tuple[str, str, str, float, str]


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is odd.

    Attributes
    ----------
    missing : float, default 0.05
        Share of missing values: ``info`` from any, ``warning`` from here.
    zeros : float, default 0.5
        Share of zeros of a continuous attribute.
    skewness : float, default 2
        Size of the skewness; an exponential distribution has 2.
    correlation : float, default 0.9
        Size of the correlation of two attributes.
    cardinality : int, default 50
        Different values of a category.
    imbalance : float, default 0.5
        1 - entropy / log2(values) of a category or a binary attribute: 0 when all are as frequent, towards 1 when one
        has nearly all rows.
    """

    missing: float = 0.05
    zeros: float = 0.5
    skewness: float = 2.0
    correlation: float = 0.9
    cardinality: int = 50
    imbalance: float = 0.5

    def __post_init__(self) -> None:
        wrong = [name for name, value in asdict(self).items() if not value >= 0]
        if wrong:
            raise SchemaError(f"Limits are not negative; {listed(wrong)} must change.")


def alerts(summary: TableSummary, limits: Limits | None = None) -> pd.DataFrame:
    """Return what is odd about attributes.

    Parameters
    ----------
    summary : TableSummary
    limits : Limits, optional

    Returns
    -------
    pandas.DataFrame
        The most severe first, with the columns ``attribute``, ``alert`` (empty, constant, infinite, missing, zeros,
        skewed, correlated, cardinality, imbalanced), ``severity`` (error, warning, info), ``value`` and ``sentence``.
        No rows when nothing is odd, or nothing was learned.
    """
    bounds = limits or Limits()
    found: list[Alert] = []
    if summary.n:
        found += _numeric(summary, bounds)
        found += _categories(summary, bounds)
        found += _correlated(summary, bounds)
    found.sort(key=lambda a: SEVERITIES.index(a[2]))
    return pd.DataFrame(found, columns=["attribute", "alert", "severity", "value", "sentence"])


def _numeric(summary: TableSummary, limits: Limits) -> Iterator[Alert]:
    moments = summary.moments
    skewness = moments.skewness(bias=True)
    for i, name in enumerate(summary.schema.numeric):
        count, infinite = int(moments.count[i]), int(moments.infinite[i])
        if infinite:
            words = f"{name} has {infinite:,} infinite value(s), which are left out of all statistics."
            yield name, "infinite", "error", infinite / summary.n, words
        if count == 0:
            yield name, "empty", "error", 1.0, f"{name} has no finite values at all."
            continue
        yield from _missing(name, int(moments.missing[i]) / summary.n, limits)
        if moments.minimum[i] == moments.maximum[i]:
            words = f"{name} is always {moments.minimum[i]:g}: it tells nothing."
            yield name, "constant", "warning", float(moments.minimum[i]), words
            continue
        if summary.schema[name].kind is Kind.BINARY:
            ones = round(count * float(moments.mean[i]))
            yield from _imbalanced(name, {"1": ones, "0": count - ones}, limits)
            continue
        zeros = int(moments.zeros[i]) / count
        if zeros >= limits.zeros:
            yield name, "zeros", "info", zeros, f"{zeros:.1%} of the values of {name} are zero."
        if abs(skewness[i]) >= limits.skewness:
            side = "right" if skewness[i] > 0 else "left"
            words = f"{name} has a long tail on the {side}: its skewness is {skewness[i]:.3g}."
            yield name, "skewed", "info", float(skewness[i]), words


def _categories(summary: TableSummary, limits: Limits) -> Iterator[Alert]:
    for name, counts in zip(summary.schema.categories, summary.categories, strict=True):
        if counts.total == 0:
            yield name, "empty", "error", 1.0, f"{name} has no values at all."
            continue
        yield from _missing(name, counts.missing / summary.n, limits)
        different = len(counts.counts)
        if different == 1 and not counts.other:
            words = f"{name} is always {next(iter(counts.counts))!r}: it tells nothing."
            yield name, "constant", "warning", 1.0, words
            continue
        if different > limits.cardinality:
            more = "more than " if counts.other else ""
            words = f"{name} has {more}{different:,} different values: rather text than a category."
            yield name, "cardinality", "warning", float(different), words
        yield from _imbalanced(name, counts.counts, limits)


def _missing(name: str, share: float, limits: Limits) -> Iterator[Alert]:
    if share:
        severity = "warning" if share >= limits.missing else "info"
        yield name, "missing", severity, share, f"{share:.1%} of the values of {name} are missing."


def _imbalanced(name: str, counts: dict[str, int], limits: Limits) -> Iterator[Alert]:
    different = sum(1 for c in counts.values() if c)
    if different < 2:
        return
    score = 1 - entropy(list(counts.values())) / log2(different)
    if score >= limits.imbalance:
        value, most = max(counts.items(), key=lambda item: item[1])
        share = most / sum(counts.values())
        yield name, "imbalanced", "info", score, f"{share:.1%} of the values of {name} are {value!r}."


def _correlated(summary: TableSummary, limits: Limits) -> Iterator[Alert]:
    names = summary.schema.numeric
    matrix = summary.pairs.correlation()[: len(names), : len(names)]
    size = np.nan_to_num(np.abs(matrix))
    np.fill_diagonal(size, 0.0)
    for i, name in enumerate(names):
        partners = np.flatnonzero(size[i] >= limits.correlation)
        if limits.correlation > 0 and len(partners):
            j = int(size[i].argmax())
            more = f", and it is nearly as high with {len(partners) - 1} more" if len(partners) > 1 else ""
            words = f"{name} says nearly the same as {names[j]}: their correlation is {matrix[i, j]:.4f}{more}."
            yield name, "correlated", "warning", float(matrix[i, j]), words
