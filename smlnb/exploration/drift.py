"""Whether data have changed: two summaries compared, attribute by attribute and all together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isnan, nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from smlnb.errors import NotEnoughDataError, SchemaError
from smlnb.exploration.distances import decile_edges, jensen_shannon, shares_between, stability_index, wasserstein
from smlnb.exploration.names import listed
from smlnb.exploration.ranks import kolmogorov_smirnov
from smlnb.exploration.reconstruction import Reconstruction, reconstruction
from smlnb.exploration.result import frames_html
from smlnb.exploration.steps import Steps
from smlnb.schema import Kind
from smlnb.stats.categories import CategoryCounts
from smlnb.stats.table import TableSummary

__all__ = ["Drift", "Thresholds", "drift"]

COLUMNS = (
    "kind", "count_before", "count_after", "psi", "ks", "wasserstein", "jensen_shannon", "pvalue", "pvalue_adjusted",
    "missing_before", "missing_after", "drifts",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on a change counts.

    Attributes
    ----------
    psi : float, default 0.25
        Population stability index over deciles: customarily below 0.1 nothing, up to 0.25 some, beyond it much.
    ks : float, default 0.2
        Kolmogorov-Smirnov distance.
    wasserstein : float, default 0.2
        Wasserstein distance over the standard deviation before.
    jensen_shannon : float, default 0.2
        Jensen-Shannon distance, base 2.
    alpha : float, default 0.05
        A change counts only if it is also significant after Benjamini-Hochberg over all attributes: small samples
        differ by chance. 1 switches this off.
    missing : float, default 0.1
        Change of the share of missing values, if it is significant as well.
    share : float, default 0.5
        Share of drifting attributes from which on the whole counts as drifting.
    reconstruction : float, default 1.5
        Error of principal components after over before; it must also be beyond :attr:`Reconstruction.chance`.
    """

    psi: float = 0.25
    ks: float = 0.2
    wasserstein: float = 0.2
    jensen_shannon: float = 0.2
    alpha: float = 0.05
    missing: float = 0.1
    share: float = 0.5
    reconstruction: float = 1.5

    def __post_init__(self) -> None:
        wrong = [name for name, value in asdict(self).items() if not value >= 0]
        if wrong:
            raise SchemaError(f"Thresholds are not negative; {listed(wrong)} must change.")


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """How far data have moved.

    Attributes
    ----------
    table : DataFrame
        Indexed by attribute. ``psi`` over the deciles before (values, for categories), ``ks`` and ``wasserstein`` (over
        the standard deviation before; NaN for categories), ``jensen_shannon`` (over the same bins as ``psi``),
        ``pvalue`` (Kolmogorov-Smirnov, chi-squared for categories and binary attributes), ``pvalue_adjusted``,
        ``missing_before`` and ``missing_after`` (shares), and ``drifts``.
    share : float
        Of attributes that drift, among those compared; NaN if none could be.
    drifts : bool
        Whether the whole does: by ``share``, or by the reconstruction error.
    reconstruction : Reconstruction or None
        None where fewer than two numeric attributes vary.
    alerts : tuple of str
        In words; empty when nothing is the matter.
    thresholds : Thresholds
    """

    table: pd.DataFrame
    share: float
    drifts: bool
    reconstruction: Reconstruction | None
    alerts: tuple[str, ...]
    thresholds: Thresholds

    def __str__(self) -> str:
        found = int(self.table["drifts"].sum())
        error = f"; reconstruction error {self.reconstruction.ratio:.3g} times" if self.reconstruction else ""
        return f"{found} of {len(self.table)} attributes drift: {'drift' if self.drifts else 'no drift'} overall{error}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return frames_html(str(self), {"": self.table}, self.alerts)


def drift(before: TableSummary, after: TableSummary, thresholds: Thresholds | None = None) -> Drift:
    """Compare two summaries: of two projects, windows or intervals.

    An attribute drifts if any of its distances reaches its threshold and the change is significant; or if its share of
    missing values changes by the threshold.

    Parameters
    ----------
    before, after : TableSummary
        With histograms, or quantile sketches. Attributes are matched by name; those of one side only, and those whose
        kind differs, are named in the alerts and count as drifting.
    thresholds : Thresholds, optional

    Raises
    ------
    NotEnoughDataError
        If one of the two has no rows.

    Notes
    -----
    Distances from a histogram are exact while an attribute has at most 1,024 different values; beyond that values count
    as spread evenly inside its cells, which are then about a thousandth of the range of the data each.
    """
    limits = thresholds or Thresholds()
    for summary, word in ((before, "before"), (after, "after")):
        if summary.n == 0:
            raise NotEnoughDataError(f"There are no rows {word} the change, so there is nothing to compare.")
    kinds = {a.name: a.kind for a in after.schema}
    rows: dict[str, list[object]] = {}
    alerts: list[str] = []
    broken = 0
    for attribute in before.schema:
        name, kind = attribute.name, attribute.kind
        if not (kind.is_numeric or kind is Kind.CATEGORY):
            continue
        if name not in kinds:
            alerts.append(f"{name} has vanished.")
        elif kinds[name] != kind:
            alerts.append(f"{name} has changed from {kind.name.lower()} to {kinds[name].name.lower()}.")
        else:
            rows[name] = _compared(before, after, name, kind)
            continue
        broken += 1
    alerts += [f"{a.name} is new." for a in after.schema if a.name not in before.schema]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS[:-1])).rename_axis("attribute")
    gone = _judge(table, limits, (before.n, after.n))
    told = (_sentence(str(name), table.loc[name], limits, bool(g)) for name, g in zip(table.index, gone, strict=True))
    alerts += filter(None, told)
    compared = len(table) + broken
    share = (int(table["drifts"].sum()) + broken) / compared if compared else nan
    error = reconstruction(before, after)
    worse = error is not None and error.ratio >= max(limits.reconstruction, error.chance if limits.alpha < 1 else 0)
    if error is not None and worse:
        alerts.append(
            f"Attributes no longer vary together as before: what the {error.components} principal components leave "
            f"unexplained is {error.ratio:.3g} times what it was."
        )
    if share >= limits.share:
        alerts.insert(0, f"{share:.0%} of the attributes drift.")
    return Drift(table, share, worse or share >= limits.share, error, tuple(alerts), limits)


def _compared(before: TableSummary, after: TableSummary, name: str, kind: Kind) -> list[object]:
    if kind is Kind.CATEGORY:
        return _categories(_counts(before, name), _counts(after, name))
    i, j = before.schema.numeric.index(name), after.schema.numeric.index(name)
    n, m = int(before.moments.count[i]), int(after.moments.count[j])
    absent = [1 - n / before.n, 1 - m / after.n]
    row: list[object] = [str(kind), n, m]
    if n == 0 or m == 0:
        return [*row, *[nan] * 6, *absent]
    a, b = Steps.of(before, name), Steps.of(after, name)
    edges = decile_edges(a)
    bins = shares_between(a, edges), shares_between(b, edges)
    ks = kolmogorov_smirnov(before, name, other=after)
    std = float(before.moments.std(0)[i])
    distance = wasserstein(a, b)
    scaled = distance / std if std > 0 else (0.0 if distance == 0 else float("inf"))
    pvalue = ks.pvalue
    if kind is Kind.BINARY:
        ones = [round(n * float(before.moments.mean[i])), round(m * float(after.moments.mean[j]))]
        pvalue = _homogeneity([[n - ones[0], ones[0]], [m - ones[1], ones[1]]])
    return [*row, stability_index(*bins), ks.statistic, scaled, jensen_shannon(*bins), pvalue, nan, *absent]


def _counts(summary: TableSummary, name: str) -> CategoryCounts:
    return summary.categories[summary.schema.categories.index(name)]


def _categories(a: CategoryCounts, b: CategoryCounts) -> list[object]:
    n, m = a.total, b.total
    absent = [c.missing / (c.total + c.missing) if c.total + c.missing else nan for c in (a, b)]
    row: list[object] = [str(Kind.CATEGORY), n, m]
    if n == 0 or m == 0:
        return [*row, *[nan] * 6, *absent]
    values = {*a.counts, *b.counts}
    if a.other or b.other:  # a value kept on one side only may hide among the others of the other side
        values = {*a.counts} & {*b.counts}
    order = sorted(values)
    counts = [[c.counts.get(v, 0) for v in order] for c in (a, b)]
    for line, total in zip(counts, (n, m), strict=True):
        line.append(total - sum(line))
    shares = np.array(counts[0]) / n, np.array(counts[1]) / m
    return [*row, stability_index(*shares), nan, nan, jensen_shannon(*shares), _homogeneity(counts), nan, *absent]


def _homogeneity(counts: list[list[int]]) -> float:
    table = np.array(counts)
    table = table[:, table.any(axis=0)]
    if table.shape[1] < 2:
        return 1.0
    return float(stats.chi2_contingency(table, correction=False).pvalue)


def _adjusted(pvalues: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(stats.false_discovery_control(pvalues)) if len(pvalues) else pvalues


def _judge(table: pd.DataFrame, limits: Thresholds, sizes: tuple[int, int]) -> NDArray[np.bool_]:
    """Decide which attributes drift; return for which the missing values say so."""
    tested = table["pvalue"].notna()
    table["pvalue_adjusted"] = nan
    table.loc[tested, "pvalue_adjusted"] = _adjusted(table.loc[tested, "pvalue"].to_numpy(float))
    gone = _gone(table, limits, sizes)
    large = np.zeros(len(table), bool)
    for measure in ("psi", "ks", "wasserstein", "jensen_shannon"):
        large |= (table[measure] >= getattr(limits, measure)).to_numpy()
    table["drifts"] = (large & (table["pvalue_adjusted"] <= limits.alpha).to_numpy()) | gone
    return gone


def _gone(table: pd.DataFrame, limits: Thresholds, sizes: tuple[int, int]) -> NDArray[np.bool_]:
    """Return where the share of missing values has changed, by more than chance."""
    change = (table["missing_after"] - table["missing_before"]).abs().to_numpy(float) >= limits.missing
    present = table[["count_before", "count_after"]].to_numpy(int)
    pvalues = np.array([_homogeneity([[n, size - n] for n, size in zip(p, sizes, strict=True)]) for p in present])
    return np.asarray(change & (_adjusted(pvalues) <= limits.alpha))


def _sentence(name: str, row: pd.Series, limits: Thresholds, gone: bool) -> str:
    if not row["drifts"]:
        return ""
    words = {
        "psi": "stability index",
        "ks": "Kolmogorov-Smirnov distance",
        "wasserstein": "Wasserstein distance in standard deviations",
        "jensen_shannon": "Jensen-Shannon distance",
    }
    reasons = []
    if not isnan(row["pvalue_adjusted"]) and row["pvalue_adjusted"] <= limits.alpha:
        for measure, word in words.items():
            limit = getattr(limits, measure)
            if row[measure] >= limit:
                reasons.append(f"{word} {row[measure]:.3g} (from {limit:g} on)")
    if gone:
        reasons.append(f"{row['missing_after']:.0%} missing, {row['missing_before']:.0%} before")
    return f"{name} drifts: {', '.join(reasons)}."
