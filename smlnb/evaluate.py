"""How well scores rank what they should rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from smlnb.errors import NotEnoughDataError, SchemaError

__all__ = ["Ranking", "ranking"]


@dataclass(frozen=True, slots=True)
class Ranking:
    """How well scores put the positives first.

    Attributes
    ----------
    roc_auc : float
        The probability that a positive has a larger score than a negative; ties count half.
    average_precision : float
        Precision averaged over the positives, from the largest score down.
    n, positives : int
        The rows that were compared, and how many of them are positive.
    """

    roc_auc: float
    average_precision: float
    n: int
    positives: int


def ranking(scores: Any, labels: Any) -> Ranking:
    """Compare anomaly scores (larger is stranger) with the truth.

    Parameters
    ----------
    scores : array-like, shape (rows,)
        Numbers.
    labels : array-like, shape (rows,)
        1 or True for an anomaly, 0 or False for a normal row.

    Raises
    ------
    SchemaError
        If the two differ in length, a score is not a number, or a label is neither 0 nor 1.
    NotEnoughDataError
        If one of the two classes does not occur: there is nothing to tell apart.

    Examples
    --------
    >>> ranking([0.1, 0.4, 0.3, 0.9], [0, 0, 1, 1])
    Ranking(roc_auc=0.75, average_precision=0.8333333333333333, n=4, positives=2)
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    found = np.asarray(scores, dtype=np.float64).ravel()
    truth = np.asarray(labels, dtype=np.float64).ravel()
    if len(found) != len(truth):
        raise SchemaError(f"There are {len(found)} scores for {len(truth)} labels. Give one label per score.")
    if not np.isfinite(found).all():
        raise SchemaError(
            f"{int((~np.isfinite(found)).sum())} of {len(found)} scores are not finite numbers. Drop them."
        )
    if not np.isin(truth, (0.0, 1.0)).all():
        other = truth[~np.isin(truth, (0.0, 1.0))][0]
        raise SchemaError(f"A label is {other:g}. Labels are 1 for an anomaly and 0 for a normal row.")
    positives = int(truth.sum())
    if positives in (0, len(truth)):
        lacking = "anomaly (label 1)" if positives == 0 else "normal row (label 0)"
        raise NotEnoughDataError(
            f"Among {len(truth)} labels there is no {lacking}: a ranking needs both classes. Score more rows.",
        )
    return Ranking(
        roc_auc=float(roc_auc_score(truth, found)),
        average_precision=float(average_precision_score(truth, found)),
        n=len(truth),
        positives=positives,
    )
