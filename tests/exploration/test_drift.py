from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from smlnb.errors import NotEnoughDataError, SchemaError
from smlnb.exploration.drift import Thresholds, drift
from smlnb.exploration.reconstruction import reconstruction
from tests.exploration.making import RTOL, TYPES, random_frame, random_summary, summary_of


def test_data_of_one_kind_do_not_drift():
    for seed in range(0, 20, 2):
        found = drift(random_summary(seed, rows=2000)[1], random_summary(seed + 1, rows=2000)[1])
        assert not found.table["drifts"].any()
        assert not found.drifts
        assert found.alerts == ()
        assert found.share == 0


def test_small_samples_differ_by_chance_and_that_is_no_drift():
    for seed in range(0, 20, 2):
        found = drift(random_summary(seed, rows=40)[1], random_summary(seed + 1, rows=40)[1])
        assert not found.drifts, str(found.alerts)


def test_each_change_is_found_and_told_in_words():
    before = random_frame(0, rows=2000)
    after = random_frame(1, rows=2000)
    after["x"] = after["x"] + 3
    after["kind"] = after["kind"].where(after["kind"] != "a", "new")
    after.loc[:999, "z"] = np.nan
    found = drift(summary_of(before, TYPES), summary_of(after, TYPES))
    assert found.table.index[found.table["drifts"]].tolist() == ["x", "z", "kind"]
    assert found.share == pytest.approx(3 / 7)
    told = " ".join(found.alerts)
    assert "x drifts: stability index" in told
    assert "z drifts: " in told
    assert "missing, 1" in told
    assert "kind drifts" in told
    assert "x drifts" in found._repr_html_()


def test_the_measures_are_those_of_scipy_on_the_rows():
    before, after = random_frame(0), random_frame(1)
    after["y"] = after["y"].astype(float) * 1.5
    table = drift(summary_of(before, TYPES), summary_of(after, TYPES)).table
    a, b = before["y"].dropna().astype(float), after["y"].dropna()
    ks = stats.ks_2samp(a, b)
    assert (table.loc["y", "ks"], table.loc["y", "pvalue"]) == pytest.approx((ks.statistic, ks.pvalue), rel=RTOL)
    assert table.loc["y", "wasserstein"] == pytest.approx(stats.wasserstein_distance(a, b) / a.std(ddof=0), rel=RTOL)
    counts = [[f["kind"].eq(v).sum() for v in "abc"] for f in (before, after)]
    expected = stats.chi2_contingency(counts, correction=False).pvalue
    assert table.loc["kind", "pvalue"] == pytest.approx(expected, rel=RTOL)
    p, q = (np.array(c) / sum(c) for c in counts)
    assert table.loc["kind", "psi"] == pytest.approx(((q - p) * np.log(q / p)).sum(), rel=RTOL)
    adjusted = stats.false_discovery_control(table["pvalue"])
    assert table["pvalue_adjusted"].to_numpy() == pytest.approx(adjusted, rel=RTOL)


def test_thresholds_decide():
    first, second = random_frame(0, rows=2000), random_frame(1, rows=2000)
    second["x"] = second["x"] + 1
    a, b = summary_of(first, TYPES), summary_of(second, TYPES)
    assert drift(a, b).table.loc["x", "drifts"]
    lax = Thresholds(psi=9, ks=1, wasserstein=9, jensen_shannon=1)
    assert not drift(a, b, lax).table.loc["x", "drifts"]
    assert drift(a, b, Thresholds(share=0.1)).drifts
    with pytest.raises(SchemaError, match="'psi' must change"):
        Thresholds(psi=-1)


def test_attributes_that_come_go_or_change_kind_are_named():
    frame = random_frame(0)
    before = summary_of(frame.rename(columns={"x": "old"}), TYPES)
    after = summary_of(frame.rename(columns={"x": "new"}).assign(sign=frame["sign"] * 2), "C,C,C,B,C,T,T")
    found = drift(before, after)
    assert {"old has vanished.", "new is new.", "sign has changed from binary to continuous."} <= set(found.alerts)
    assert found.share == pytest.approx(2 / 7)


def test_attributes_without_values_on_one_side_are_compared_by_what_is_missing():
    frame = random_frame(0)
    gone = frame.assign(x=np.nan, kind=None).astype({"kind": "str"})
    found = drift(summary_of(frame, TYPES), summary_of(gone, TYPES))
    assert np.isnan(found.table.loc["x", "psi"])
    assert found.table.loc[["x", "kind"], "drifts"].all()
    with pytest.raises(NotEnoughDataError, match="no rows after"):
        drift(summary_of(frame, TYPES), summary_of(frame.head(0), TYPES))


def test_a_constant_that_moves_drifts():
    frame = random_frame(0, missing=0.0)
    found = drift(summary_of(frame.assign(x=1.0), TYPES), summary_of(frame.assign(x=2.0), TYPES))
    assert found.table.loc["x", "wasserstein"] == np.inf
    assert found.table.loc["x", "drifts"]


def test_the_reconstruction_error_is_that_of_the_rows():
    from sklearn.decomposition import PCA

    names = ["x", "y", "z"]
    before, after = (random_frame(s, rows=500, missing=0.0)[names].astype(float) for s in (0, 1))
    after["y"] = after["y"].sample(frac=1, random_state=0).to_numpy()
    found = reconstruction(summary_of(before, "C,C,C"), summary_of(after, "C,C,C"))
    scaled = [(f - before.mean()) / before.std(ddof=0) for f in (before, after)]
    model = PCA(found.components).fit(scaled[0].to_numpy())
    errors = [
        ((s.to_numpy() - model.inverse_transform(model.transform(s.to_numpy()))) ** 2).sum(axis=1).mean()
        for s in scaled
    ]
    assert (found.before, found.after) == pytest.approx(errors, rel=RTOL)


def test_what_no_longer_varies_together_is_told_though_each_attribute_is_as_before():
    rng = np.random.default_rng(0)
    u = rng.normal(size=2000)
    before = pd.DataFrame({"a": u, "b": u + 0.1 * rng.normal(size=2000), "c": rng.normal(size=2000)})
    after = before.assign(b=before["b"].sample(frac=1, random_state=1).to_numpy())
    found = drift(summary_of(before, "C,C,C"), summary_of(after, "C,C,C"))
    assert not found.table["drifts"].any()
    assert found.drifts
    assert found.reconstruction.ratio > 10
    assert "no longer vary together" in found.alerts[0]


def test_without_two_numbers_there_is_no_reconstruction():
    _, summary = random_summary()
    assert reconstruction(summary, summary).ratio == 1
    one = summary_of(pd.DataFrame({"x": [1.0, 2.0], "k": ["a", "b"]}), "C,T")
    assert reconstruction(one, one) is None
    assert not drift(one, one).drifts
    none = summary_of(pd.DataFrame({"s": ["u", "v"]}), "S")
    assert np.isnan(drift(none, none).share)
