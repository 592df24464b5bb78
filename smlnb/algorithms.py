"""The models that a project can build, by the names that people use."""

from __future__ import annotations

import difflib

from smlnb.anomaly.hba import HistogramAnomaly
from smlnb.errors import ModelError
from smlnb.models.base import AnomalyModel

__all__ = ["ALGORITHMS", "algorithm"]

ALGORITHMS: dict[str, type[AnomalyModel]] = {model.kind: model for model in (HistogramAnomaly,)}


def algorithm(kind: str) -> type[AnomalyModel]:
    """Return the class of models of a kind.

    Raises
    ------
    ModelError
        If there is none; the message suggests the nearest.

    Examples
    --------
    >>> algorithm("hba").__name__
    'HistogramAnomaly'
    """
    if kind not in ALGORITHMS:
        near = difflib.get_close_matches(kind, ALGORITHMS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ModelError(f"There is no algorithm {kind!r}.{hint} There is: {', '.join(sorted(ALGORITHMS))}.")
    return ALGORITHMS[kind]
