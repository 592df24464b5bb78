"""What to look at first: one sentence for each thing that is odd about an attribute."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import log2

import pandas as pd

from smlnb.errors import SchemaError
from smlnb.exploration.association import entropy
from smlnb.exploration.names import listed, value_columns
from smlnb.exploration.resemblance import Resemblance, resemblances
from smlnb.schema import Kind
from smlnb.stats.categories import CategoryCounts
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
        Size of the correlation of two numeric attributes, of the correlation ratio of one in the groups of a category,
        or of Cramer's V of two categories.
    cardinality : int, default 50
        Different values of a category; and of a text of which nearly every value is another one.
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


def alerts(
    summary: TableSummary, limits: Limits | None = None, *, refused: Mapping[str, int] | None = None
) -> pd.DataFrame:
    """Return what is odd about attributes.

    Parameters
    ----------
    summary : TableSummary
    limits : Limits, optional
    refused : mapping of str to int, optional
        By attribute, how many records were refused since it held a value of another kind.

    Returns
    -------
    pandas.DataFrame
        The most severe first, with the columns ``attribute``, ``alert``, ``severity`` (error, warning, info), ``value``
        and ``sentence``. No rows when nothing is odd, or nothing was learned. The alerts:

        - ``refused``: values of another kind; the value is the number of records;
        - ``empty``, ``constant``;
        - ``infinite``, ``missing``, ``zeros``: their share;
        - ``skewed``: the skewness;
        - ``imbalanced``: one value has nearly all rows;
        - ``cardinality``: the number of different values;
        - ``folded``: the share of values that are counted together as ``(other)``, since a category has more than have
          columns of their own;
        - ``spellings``: values of a category that differ in case or spaces only; the number of them;
        - ``correlated``: nearly the same as another attribute; the correlation, correlation ratio or Cramer's V.
    """
    bounds = limits or Limits()
    found: list[Alert] = []
    for name, records in (refused or {}).items():
        if records:
            kind = summary.schema[name].kind.name.lower() if name in summary.schema else "known"
            words = f"{records:,} record(s) were refused, since {name} held something that is not {kind}."
            found.append((name, "refused", "error", float(records), words))
    if summary.n:
        found += _numeric(summary, bounds)
        found += _categories(summary, bounds)
        found += _texts(summary, bounds)
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
            values, written = _different(summary, name, counts)
            words = f"{name} has {written} different values: rather text than a category."
            yield name, "cardinality", "warning", values, words
        yield from _folded(summary, name, counts)
        yield from _spellings(name, counts)
        yield from _imbalanced(name, counts.counts, limits)


def _different(summary: TableSummary, name: str, counts: CategoryCounts) -> tuple[float, str]:
    """Return how many different values a category has: exactly while all are counted, estimated beyond that."""
    known = len(counts.counts)
    if not counts.other:
        return float(known), f"{known:,}"
    if summary.profile is None:
        return float(known), f"more than {known:,}"
    estimate = max(float(known), summary.profile.distinct[name].estimate)
    return estimate, f"about {estimate:,.0f}"


def _folded(summary: TableSummary, name: str, counts: CategoryCounts) -> Iterator[Alert]:
    columns = value_columns(summary, name)
    *own, shared = columns.values()
    rows = round(float(summary.pairs.mean[shared, shared]) * int(summary.pairs.count[shared, shared]))
    if rows:
        _, different = _different(summary, name, counts)
        words = (
            f"{rows:,} values of {name} ({rows / counts.total:.1%}) are taken together as '(other)' wherever it is "
            f"related to other attributes: {len(own):,} of its {different} values stand for themselves."
        )
        if counts.other:
            words += f" {counts.other:,} are not even counted one by one."
        yield name, "folded", "warning", rows / counts.total, words


def _spellings(name: str, counts: CategoryCounts) -> Iterator[Alert]:
    spelled: dict[str, list[str]] = {}
    for value in counts.counts:
        plain = " ".join(unicodedata.normalize("NFKC", value).casefold().split())
        spelled.setdefault(plain, []).append(value)
    same = [values for values in spelled.values() if len(values) > 1]
    if same:
        more = f" (and {len(same) - 1:,} more such groups)" if len(same) > 1 else ""
        words = f"{listed(same[0])} are different values of {name}, and differ in case or spaces only{more}."
        yield name, "spellings", "warning", float(sum(map(len, same))), words


def _texts(summary: TableSummary, limits: Limits) -> Iterator[Alert]:
    if summary.profile is None:
        return
    profile = summary.profile
    for names, lengths in ((profile.text_names, profile.texts), (profile.list_names, profile.lists.lengths)):
        for i, name in enumerate(names):
            count = int(lengths.count[i])
            if count == 0:
                yield name, "empty", "error", 1.0, f"{name} has no values at all."
                continue
            yield from _missing(name, int(lengths.missing[i]) / summary.n, limits)
            if name not in profile.distinct:
                continue
            different = profile.distinct[name]
            if different.high == 1 and count > 1:
                words = f"{name} is always {profile.frequent[name].values[0]!r}: it tells nothing."
                yield name, "constant", "warning", 1.0, words
            elif count > limits.cardinality and different.high >= count:
                words = f"Nearly every value of {name} is another one: an identifier, or free text."
                yield name, "cardinality", "info", round(different.estimate), words


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
    if limits.correlation == 0:
        return
    partners: dict[str, list[Resemblance]] = {}
    for pair in resemblances(summary, limits.correlation, limits.cardinality):
        partners.setdefault(pair.x, []).append(pair)
        partners.setdefault(pair.y, []).append(pair)
    for name in (a.name for a in summary.schema if a.name in partners):
        pairs = partners[name]
        most = max(pairs, key=lambda pair: abs(pair.size))
        other = most.y if most.x == name else most.x
        more = f", and it is nearly as high with {len(pairs) - 1} more" if len(pairs) > 1 else ""
        words = f"{name} says nearly the same as {other}: their {most.measure} is {most.size:.4f}{more}."
        yield name, "correlated", "warning", most.size, words
