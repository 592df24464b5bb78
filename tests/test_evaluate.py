from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from smlnb.errors import NotEnoughDataError, SchemaError
from smlnb.evaluate import ranking


def test_a_perfect_order_has_both_figures_one():
    result = ranking([1, 2, 3, 4], [0, 0, 1, 1])
    assert (result.roc_auc, result.average_precision, result.n, result.positives) == (1.0, 1.0, 4, 2)


def test_equal_scores_are_worth_a_coin():
    result = ranking(np.zeros(100), np.arange(100) < 10)
    assert result.roc_auc == 0.5
    assert result.average_precision == pytest.approx(0.1)


def test_series_and_booleans_are_taken_as_they_are():
    assert ranking(pd.Series([0.0, 1.0]), pd.Series([False, True])).roc_auc == 1.0


@pytest.mark.parametrize(("labels", "lacking"), [([0, 0], "no anomaly"), ([1, 1], "no normal row"), ([], "no anomaly")])
def test_one_class_alone_is_an_error_that_names_the_absent_one(labels, lacking):
    with pytest.raises(NotEnoughDataError, match=lacking):
        ranking(np.zeros(len(labels)), labels)


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([1.0], [0, 1], "1 scores for 2 labels"),
        ([1.0, float("nan")], [0, 1], "1 of 2 scores"),
        ([1.0, 2.0], [0, 2], "A label is 2"),
    ],
)
def test_what_can_not_be_compared_is_refused(scores, labels, message):
    with pytest.raises(SchemaError, match=message):
        ranking(scores, labels)
