from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from smlnb.batch import as_record_batch
from smlnb.errors import UnknownAttributeError
from smlnb.exploration.univariate import COLUMNS, univariate
from smlnb.schema import Schema
from smlnb.stats.table import Table
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


def test_first_and_last_values_come_with_their_times_and_are_unknown_without() -> None:
    times = pd.date_range("2026-05-01 10:00", periods=3, freq="90s", unit="ms")
    frame = pd.DataFrame({"x": [1.0, 2.0, None], "y": [3.0, 4.0, 5.0], "z": [np.inf, np.nan, np.nan]})
    table = Table(Schema.of(["x", "y", "z"], "C,C,C"))
    assert univariate(table.result())["last_time"].isna().all()
    table.update(as_record_batch(frame), times.to_numpy())
    shown = univariate(table.result())
    assert shown.dtypes[["first_time", "last_time"]].astype(str).tolist() == ["datetime64[ms, UTC]"] * 2
    assert shown.loc[["x", "y"], "first"].tolist() == [1.0, 3.0]
    assert shown.loc[["x", "y"], "last"].tolist() == [2.0, 5.0]
    assert shown.loc[["x", "y"], "last_time"].tolist() == [times[1].tz_localize("UTC"), times[2].tz_localize("UTC")]
    assert shown.loc["z", ["first", "first_time", "last", "last_time"]].isna().all()
    table.forget(as_record_batch(frame[2:]))
    assert univariate(table.result())[["first", "first_time", "last", "last_time"]].isna().all(axis=None)
