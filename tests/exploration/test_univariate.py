from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from smlnb.errors import UnknownAttributeError
from smlnb.exploration.univariate import COLUMNS, univariate
from tests.exploration.making import RTOL, TYPES, random_frame, random_summary, summary_of

NUMBERS = ["x", "y", "z"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ddof", [0, 1])
def test_figures_are_those_of_pandas_and_scipy(seed, ddof):
    frame, summary = random_summary(seed)
    table = univariate(summary, NUMBERS, ddof)
    for name in NUMBERS:
        values, row = frame[name].dropna().astype(float), table.loc[name]
        n, std = len(values), values.std(ddof=ddof)
        low, high = stats.t.interval(0.95, n - 1, values.mean(), std / np.sqrt(n))
        expected = {
            "count": n,
            "missing": frame[name].isna().sum(),
            "mean": values.mean(),
            "variance": values.var(ddof=ddof),
            "std": std,
            "stderr": std / np.sqrt(n),
            "ci95_low": low,
            "ci95_high": high,
            "skewness": stats.skew(values, bias=ddof == 0),
            "kurtosis": stats.kurtosis(values, bias=ddof == 0),
            "min": values.min(),
            "max": values.max(),
            "sum": values.sum(),
            "cv": std / abs(values.mean()),
            "skewness_sayad": n**2
            / ((n - 1) * (n - 2))
            * ((values - values.mean()) ** 3).mean()
            / values.std(ddof=0) ** 3,
        }
        assert row[list(expected)].to_dict() == pytest.approx(expected, rel=RTOL)


def test_few_rows_give_nan_where_figures_are_not_defined():
    for rows, defined in ((0, {"count", "missing", "infinite", "sum"}), (1, {"mean", "min", "median", "max"})):
        row = univariate(summary_of(random_frame(rows=rows, missing=0.0), TYPES)).loc["x"]
        assert defined <= set(row.dropna().index)
        assert row[["variance", "std", "skewness", "kurtosis", "skewness_sayad"]].isna().all()


def test_a_constant_has_no_skewness_and_a_mean_of_zero_no_variation():
    row = univariate(summary_of(random_frame().assign(x=2.0), TYPES)).loc["x"]
    assert row["variance"] == 0
    assert np.isnan(row["skewness_sayad"])
    assert np.isnan(univariate(summary_of(random_frame().assign(x=0.0), TYPES)).loc["x", "cv"])


def test_the_columns_are_those_promised_and_names_are_checked():
    _, summary = random_summary()
    assert tuple(univariate(summary).columns) == COLUMNS
    with pytest.raises(UnknownAttributeError, match="Did you mean 'flag'"):
        univariate(summary, ["flg"])
