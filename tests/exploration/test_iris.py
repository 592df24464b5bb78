"""The figures that SymetryML prints for Iris, to the printed digits."""

from __future__ import annotations

import numpy as np
import pytest

from smlnb.exploration.association import information_gain
from smlnb.exploration.conditional import bivariate
from smlnb.exploration.hypothesis import anova, chi2_test, z_test
from smlnb.exploration.reduction import pca, svd
from smlnb.exploration.univariate import univariate
from smlnb.stats.table import TableSummary
from tests.exploration.making import IRIS_TYPES, iris, summary_of

SPECIES = ["Iris_setosa", "Iris_versicolor", "Iris_virginica"]
NUMBERS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


@pytest.fixture(scope="module")
def summary() -> TableSummary:
    return summary_of(iris(), IRIS_TYPES)


def printed(value: float, digits: int) -> str:
    return f"{value:.{digits}f}"


def test_the_table_has_the_means_of_the_uci_variant_and_fifteen_columns(summary):
    assert univariate(summary, NUMBERS)["mean"].round(4).tolist() == [5.8433, 3.0540, 3.7587, 1.1987]
    assert len(summary.schema.numeric) == 15


def test_univariate_figures(summary):
    row = univariate(summary, ddof=0).loc["sepal_length"]
    assert printed(row["mean"], 6) == "5.843333"
    assert printed(row["variance"], 6) == "0.681122"
    assert printed(row["std"], 6) == "0.825301"
    assert printed(row["stderr"], 6) == "0.067386"
    assert printed(row["ci95_high"], 4) == "5.9765"
    assert printed(row["ci95_low"], 6) == "5.710179"  # by Student's t; SymetryML prints 5.7101, not 5.7102
    assert printed(row["skewness_sayad"], 6) == "0.318087"


def test_skewness_of_the_other_three(summary):
    skewness = univariate(summary)["skewness_sayad"]
    assert [printed(skewness[n], 4) for n in NUMBERS[1:]] == ["0.3374", "-0.2772", "-0.1061"]


def test_bivariate_figures(summary):
    both = bivariate(summary, "sepal_length", "petal_width", ddof=0)
    assert printed(both.covariance, 4) == "0.5135"
    assert printed(both.correlation, 4) == "0.8180"
    assert printed(both.given.count, 1) == "179.8"
    assert printed(both.given.mean, 4) == "6.2717"
    assert printed(both.given.variance, 4) == "30.9294"


def test_z_test(summary):
    test = z_test(summary, "sepal_length", "petal_width", ddof=0)
    assert printed(test.statistic, 4) == "50.6844"
    assert (printed(test.ci[0], 4), printed(test.ci[1], 4)) == ("4.4651", "4.8243")


def test_anova_of_the_four(summary):
    test = anova(summary, NUMBERS)
    assert printed(test.estimate["ss_between"], 4) == "1657.1835"
    assert printed(test.estimate["ss_within"], 4) == "680.8244"
    assert printed(test.statistic, 4) == "483.5713"
    assert test.df == (3, 596)


@pytest.mark.parametrize("species", [SPECIES, "species"], ids=["indicators", "category"])
def test_chi_squared_and_tschuprows_t(summary, species):
    test = chi2_test(summary, ["sepal_lengt_b1", "sepal_lengt_b2"], species)
    assert printed(test.statistic, 4) == "75.1484"
    assert test.df == (2,)
    assert printed(test.estimate["tschuprows_t"], 4) == "0.5952"


def test_information_gain_in_bits(summary):
    gain = information_gain(summary, "Iris_setosa", ["petal_width_b1"]).loc["petal_width_b1", "gain"]
    assert printed(gain, 7) == "0.9182958"


def test_principal_components_of_all_fifteen(summary):
    values = pca(summary).eigenvalues
    assert [printed(v, 2) for v in values[:8]] == ["9.43", "2.98", "1.13", "0.66", "0.34", "0.29", "0.12", "0.04"]
    assert np.allclose(values[8:], 0, atol=0.02)


def test_singular_values_of_the_first_twelve(summary):
    values = svd(summary, summary.schema.numeric[:12]).singular_values
    assert [printed(v, 5) for v in values[:4]] == ["5.33514", "0.61843", "0.19232", "0.11207"]
