"""All tests of hypotheses under one name, and the correction for asking many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from smlnb.errors import NotEnoughDataError, SchemaError
from smlnb.exploration.anova import anova
from smlnb.exploration.means import t_test, z_test
from smlnb.exploration.proportions import proportion_test
from smlnb.exploration.ranks import kolmogorov_smirnov, mann_whitney
from smlnb.exploration.result import TestResult
from smlnb.exploration.tables import chi2_test
from smlnb.exploration.variances import f_test

__all__ = [
    "TestResult",
    "anova",
    "benjamini_hochberg",
    "chi2_test",
    "f_test",
    "kolmogorov_smirnov",
    "mann_whitney",
    "proportion_test",
    "t_test",
    "z_test",
]


def benjamini_hochberg(
    tests: Mapping[str, TestResult | float] | Sequence[TestResult | float], alpha: float = 0.05
) -> pd.DataFrame:
    """Correct p-values for asking several questions at once (Benjamini and Hochberg 1995).

    Parameters
    ----------
    tests : mapping or sequence of TestResult or float
        Results of tests, or p-values.
    alpha : float, default 0.05
        The share of false discoveries allowed among those called significant.

    Returns
    -------
    pandas.DataFrame
        Indexed as given, with the columns ``pvalue``, ``adjusted`` and ``significant``.

    Examples
    --------
    >>> benjamini_hochberg({"a": 0.01, "b": 0.04, "c": 0.5})["adjusted"].round(4).tolist()
    [0.03, 0.06, 0.5]
    """
    if isinstance(tests, Mapping):
        names, results = list(tests), list(tests.values())
    else:
        results = list(tests)
        names = [t.what if isinstance(t, TestResult) else str(i) for i, t in enumerate(results)]
    if not results:
        raise NotEnoughDataError("There are no tests to correct.")
    pvalues = np.array([t.pvalue if isinstance(t, TestResult) else float(t) for t in results])
    if not ((pvalues >= 0) & (pvalues <= 1)).all():
        raise SchemaError("P-values lie between 0 and 1; leave out tests that have none.")
    adjusted = stats.false_discovery_control(pvalues, method="bh")
    return pd.DataFrame(
        {"pvalue": pvalues, "adjusted": adjusted, "significant": adjusted <= alpha},
        index=pd.Index(names, name="test"),
    )
