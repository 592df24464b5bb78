"""Every test statistic and p-value is that of SciPy or statsmodels, to 1e-9, on random data with missing values."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.proportion import proportions_ztest
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW, ztest

from smlnb.explorable import Explorable
from smlnb.project import Project
from tests.exploration.making import RTOL, random_frame

LETTERS = dict(zip(["x", "y", "z", "flag", "sign", "kind", "size"], "CCCBBTT", strict=True))
Pair = tuple[float, float]


class Rows:
    """The rows, as the judges want them."""

    def __init__(self, seed: int) -> None:
        rows = int(np.random.default_rng(seed).integers(20, 400))
        self.frame = random_frame(seed, rows=rows, missing=0.15)

    def __getitem__(self, name: str) -> pd.Series:
        return self.frame[name].dropna().astype(float)

    def where(self, name: str, column: str, value: Any) -> pd.Series:
        return self.frame[name][self.frame[column] == value].dropna().astype(float)

    def groups(self, name: str, column: str) -> list[pd.Series]:
        return [self.where(name, column, value) for value in sorted(self.frame[column].dropna().unique())]

    def counts(self, a: str, b: str) -> np.ndarray:
        return pd.crosstab(self.frame[a], self.frame[b]).to_numpy()

    def complete(self, *names: str) -> pd.DataFrame:
        return self.frame[list(names)].dropna().astype(float)


def pair(result: Any) -> Pair:
    return float(result.statistic), float(result.pvalue)


def f_ratio(a: pd.Series, b: pd.Series) -> Pair:
    ratio, law = a.var() / b.var(), stats.f(len(a) - 1, len(b) - 1)
    return ratio, 2 * min(law.cdf(ratio), law.sf(ratio))


def f_known(a: pd.Series, sigma: float) -> Pair:
    ratio, law = a.var() / sigma**2, stats.chi2(len(a) - 1)
    return ratio, 2 * min(law.cdf((len(a) - 1) * ratio), law.sf((len(a) - 1) * ratio))


def anova_lm(rows: Rows) -> Pair:
    both = rows.frame[["z", "size"]].dropna().astype({"z": float}).rename(columns={"size": "group"})
    table = sm.stats.anova_lm(ols("z ~ C(group)", both).fit())
    return table["F"].iloc[0], table["PR(>F)"].iloc[0]


def shares(rows: Rows) -> Pair:
    a, b = rows["flag"], rows["sign"]
    return proportions_ztest([a.sum(), b.sum()], [len(a), len(b)])


def in_residuals(project: Project, rows: Rows) -> Pair:
    """Return what holding z fixed leaves, of the matrix of pairwise correlations."""
    precision = np.linalg.inv(rows.frame[["x", "y", "z"]].astype(float).corr())
    r = -precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1])
    df = int(project.partial_correlation("x", "y", "z").df[0])
    t = r * np.sqrt(df / (1 - r * r))
    return t, 2 * stats.t.sf(abs(t), df)


Judge = tuple[Callable[[Project], Any], Callable[[Rows], Any]]
JUDGES: dict[str, list[Judge]] = {
    "ztest": [
        (
            lambda p: p.ztest("x", "y"),
            lambda r: CompareMeans(DescrStatsW(r["x"]), DescrStatsW(r["y"])).ztest_ind(usevar="unequal"),
        ),
        (lambda p: p.ztest("x", mu=10.2), lambda r: ztest(r["x"], value=10.2)),
        (
            lambda p: p.ztest("x", by="flag"),
            lambda r: CompareMeans(*map(DescrStatsW, r.groups("x", "flag")[::-1])).ztest_ind(usevar="unequal"),
        ),
    ],
    "ttest": [
        (lambda p: p.ttest("x", "y"), lambda r: stats.ttest_ind(r["x"], r["y"], equal_var=False)),
        (lambda p: p.ttest("x", "y").variants["pooled"], lambda r: stats.ttest_ind(r["x"], r["y"])),
        (
            lambda p: p.ttest("z", by="flag"),
            lambda r: stats.ttest_ind(*r.groups("z", "flag")[::-1], equal_var=False),
        ),
        (
            lambda p: p.ttest("z", by=("kind$a", "kind$b")).variants["pooled"],
            lambda r: stats.ttest_ind(r.where("z", "kind", "a"), r.where("z", "kind", "b")),
        ),
        (lambda p: p.ttest("z", mu=-1.0), lambda r: stats.ttest_1samp(r["z"], -1.0)),
    ],
    "ftest": [
        (lambda p: p.ftest("x", "y"), lambda r: f_ratio(r["x"], r["y"])),
        (lambda p: p.ftest("x", by="flag"), lambda r: f_ratio(*r.groups("x", "flag")[::-1])),
        (lambda p: p.ftest("x", sigma=2.0), lambda r: f_known(r["x"], 2.0)),
    ],
    "proportions": [
        (lambda p: p.proportions("flag", "sign"), shares),
        (
            lambda p: p.proportions("flag", p=0.4),
            lambda r: proportions_ztest(r["flag"].sum(), len(r["flag"]), value=0.4, prop_var=0.4),
        ),
    ],
    "anova": [
        (lambda p: p.anova(["x", "y", "z"]), lambda r: stats.f_oneway(r["x"], r["y"], r["z"])),
        (lambda p: p.anova("x", by="kind"), lambda r: stats.f_oneway(*r.groups("x", "kind"))),
        (lambda p: p.anova("z", by="size"), anova_lm),
    ],
    "chi2": [
        (lambda p: p.chi2("kind", "size"), lambda r: stats.chi2_contingency(r.counts("kind", "size"))),
        (
            lambda p: p.chi2("flag", "sign", correction=True),
            lambda r: stats.chi2_contingency(r.counts("flag", "sign"), correction=True),
        ),
    ],
    "ks": [
        (lambda p: p.ks("x", "y"), lambda r: stats.ks_2samp(r["x"], r["y"])),
        (lambda p: p.ks("x", "z"), lambda r: stats.ks_2samp(r["x"], r["z"])),
    ],
    "mann_whitney": [
        (lambda p: p.mann_whitney("x", "y"), lambda r: stats.mannwhitneyu(r["x"], r["y"])),
        (lambda p: p.mann_whitney("flag", "sign"), lambda r: stats.mannwhitneyu(r["flag"], r["sign"])),
    ],
}
ALONE = {"partial_correlation"}  # judged below


def judged(result: Any) -> Pair:
    return pair(result) if hasattr(result, "pvalue") else tuple(map(float, result))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("question", JUDGES)
def test_statistic_and_p_value_are_those_of_the_judge(question: str, seed: int) -> None:
    rows = Rows(seed)
    project = Project("p", types=LETTERS)
    for part in np.array_split(np.arange(len(rows.frame)), 5):
        project.learn(rows.frame.iloc[part])
    for ours, theirs in JUDGES[question]:
        assert pair(ours(project)) == pytest.approx(judged(theirs(rows)), rel=RTOL, abs=1e-300)


@pytest.mark.parametrize("seed", range(12))
def test_the_tests_of_correlations_are_those_of_scipy(seed: int) -> None:
    rows = Rows(seed)
    project = Project("p", types=LETTERS)
    project.learn(rows.frame)
    both = rows.complete("x", "z")
    expected, found = stats.pearsonr(both["x"], both["z"]), project.bivariate("x", "z")
    assert (found.correlation, found.correlation_pvalue) == pytest.approx(pair(expected), rel=RTOL)
    assert found.correlation_ci == pytest.approx(tuple(expected.confidence_interval()), rel=RTOL)
    assert pair(project.partial_correlation("x", "y", "z")) == pytest.approx(in_residuals(project, rows), rel=RTOL)


@pytest.mark.parametrize("seed", range(6))
def test_the_p_values_of_a_drift_are_those_of_scipy(seed: int) -> None:
    before, after = Rows(seed), Rows(seed + 100)
    projects = [Project("p", types=LETTERS) for _ in range(2)]
    for project, rows in zip(projects, (before, after), strict=True):
        project.learn(rows.frame)
    table = projects[0].compare(projects[1]).table
    for name in ("x", "y", "z"):
        assert tuple(table.loc[name, ["ks", "pvalue"]]) == pytest.approx(
            pair(stats.ks_2samp(before[name], after[name])), rel=RTOL
        )
    for name in ("flag", "sign", "kind", "size"):
        values = sorted({*before.frame[name].dropna(), *after.frame[name].dropna()}, key=str)
        counts = [[int((rows.frame[name] == v).sum()) for v in values] for rows in (before, after)]
        expected = stats.chi2_contingency(counts, correction=False).pvalue
        assert table.loc[name, "pvalue"] == pytest.approx(expected, rel=RTOL)


def test_every_question_that_answers_with_a_test_has_a_judge() -> None:
    tests = {
        n
        for n, f in inspect.getmembers(Explorable, inspect.isfunction)
        if "TestResult" in str(inspect.signature(f).return_annotation)
    }
    assert tests == {*JUDGES, *ALONE}
