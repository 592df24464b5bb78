from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from smlnb.errors import NotEnoughDataError, SchemaError, UnknownAttributeError
from smlnb.exploration.reduction import pca, svd
from tests.exploration.making import RTOL, TYPES, random_frame, random_summary, summary_of

NUMBERS = ["x", "y", "z"]


def torn() -> pd.DataFrame:
    """Return three columns whose pairs are over different rows and contradict each other."""
    rng = np.random.default_rng(0)
    u = rng.normal(size=(3, 50))
    gap = np.full(50, np.nan)
    return pd.DataFrame(
        {
            "a": np.concatenate([u[0], gap, u[2]]),
            "b": np.concatenate([u[0], u[1], gap]),
            "c": np.concatenate([gap, u[1], -u[2]]),
        }
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("covariance", [False, True])
def test_components_are_those_of_scikit_learn(seed, covariance):
    frame, summary = random_summary(seed, missing=0.0)
    data = frame[NUMBERS].astype(float)
    data = data if covariance else (data - data.mean()) / data.std()
    expected = PCA().fit(data)
    found = pca(summary, NUMBERS, covariance=covariance)
    assert found.eigenvalues.to_numpy() == pytest.approx(expected.explained_variance_, rel=RTOL)
    assert found.explained["share"].to_numpy() == pytest.approx(expected.explained_variance_ratio_, rel=RTOL)
    signs = np.sign((found.loadings.to_numpy() * expected.components_.T).sum(axis=0))
    assert found.loadings.to_numpy() == pytest.approx(expected.components_.T * signs, rel=1e-8, abs=1e-10)
    assert found.scores(frame).to_numpy() == pytest.approx(expected.transform(data) * signs, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("covariance", [False, True])
def test_with_missing_values_they_are_those_of_the_pairwise_matrix(covariance):
    frame, summary = random_summary()
    data = frame[NUMBERS].astype(float)
    expected = np.linalg.eigvalsh(data.cov() if covariance else data.corr())[::-1]
    assert pca(summary, NUMBERS, covariance=covariance).eigenvalues.to_numpy() == pytest.approx(expected, rel=RTOL)


def test_a_share_or_a_number_of_components_is_kept():
    _, summary = random_summary()
    assert pca(summary, components=2).loadings.shape == (5, 2)
    some = pca(summary, components=0.8)
    cumulative = some.explained["cumulative"]
    kept = some.loadings.shape[1]
    assert cumulative.iloc[kept - 1] >= 0.8 > cumulative.iloc[kept - 2]
    for wrong in (0, 6, 2.5, -1):
        with pytest.raises(SchemaError, match="whole number"):
            pca(summary, components=wrong)


def test_scores_take_values_of_categories_and_leave_gaps():
    frame = random_frame()
    summary = summary_of(frame, TYPES)
    found = pca(summary, ["x", "kind$a", "flag"])
    scores = found.scores(frame)
    assert scores.isna().any(axis=1).tolist() == frame[["x", "kind", "flag"]].isna().any(axis=1).tolist()
    indicators = frame.assign(**{"kind$a": (frame["kind"] == "a").astype(float)})[["x", "kind$a", "flag"]]
    expected = ((indicators.astype(float) - found.mean) / found.scale).to_numpy() @ found.loadings.to_numpy()
    whole = ~scores.isna().any(axis=1)
    assert scores[whole].to_numpy() == pytest.approx(expected[whole], rel=RTOL, abs=1e-12)
    with pytest.raises(UnknownAttributeError, match="'x'"):
        found.scores(frame.drop(columns="x"))
    with pytest.raises(SchemaError, match="stands for all values"):
        pca(
            summary_of(pd.DataFrame({"m": np.arange(200).astype(str), "x": np.arange(200.0)}), "T,C"),
            ["m$(other)", "x"],
        ).scores({"m": ["1"], "x": [1.0]})


def test_constant_attributes_are_left_out_and_named():
    found = pca(summary_of(random_frame().assign(y=1.0), TYPES), NUMBERS)
    assert list(found.loadings.index) == ["x", "z"]
    assert "'y'" in found.notes[0]
    assert "y" in found._repr_html_()


def test_a_matrix_with_negative_eigenvalues_is_told_and_repaired_on_request():
    summary = summary_of(torn(), "C,C,C")
    found = pca(summary)
    assert not found.psd
    assert found.eigenvalues.min() < 0
    assert "negative eigenvalues" in found.notes[0]
    repaired = pca(summary, repair=True)
    assert repaired.psd
    assert repaired.eigenvalues.min() >= 0
    assert repaired.eigenvalues.sum() == pytest.approx(3.0)
    assert "nearest" in repaired.notes[0]
    assert not svd(summary).psd


@pytest.mark.parametrize("seed", range(3))
def test_singular_values_are_those_of_the_biased_covariances(seed):
    frame, summary = random_summary(seed)
    data = frame[NUMBERS].astype(float)
    both = data.notna().astype(float)
    n = both.T @ both
    expected = np.linalg.svd(data.cov() * (n - 1) / n)
    found = svd(summary, NUMBERS)
    assert found.singular_values.to_numpy() == pytest.approx(expected[1], rel=RTOL)
    assert np.abs(found.vectors.to_numpy()) == pytest.approx(np.abs(expected[0]), rel=1e-8, abs=1e-10)
    assert found.rank == 3


def test_the_rank_counts_what_does_not_depend_on_others():
    frame = random_frame(missing=0.0)
    frame["z"] = frame["x"] - 2 * frame["y"]
    assert svd(summary_of(frame, TYPES), NUMBERS).rank == 2


def test_what_can_not_be_reduced_is_refused_in_words():
    frame, summary = random_summary()
    with pytest.raises(UnknownAttributeError, match="Did you mean"):
        pca(summary, ["x", "flagg"])
    with pytest.raises(SchemaError, match="twice"):
        pca(summary, ["x", "x"])
    with pytest.raises(SchemaError, match="list of attributes"):
        pca(summary, "x")
    with pytest.raises(NotEnoughDataError, match="do not vary"):
        pca(summary_of(frame.head(1), TYPES))
    with pytest.raises(NotEnoughDataError, match="do not vary"):
        svd(summary_of(frame.head(0), TYPES))
    apart = frame[NUMBERS].astype(float)
    apart.loc[:100, "x"] = np.nan
    apart.loc[101:, "y"] = np.nan
    with pytest.raises(NotEnoughDataError, match="'x' and 'y' have no correlation"):
        pca(summary_of(apart, "C,C,C"))
