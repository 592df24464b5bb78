"""What a test of a hypothesis says, for programs and for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, ClassVar, Literal

import pandas as pd

from smlnb.errors import SchemaError

__all__ = ["Alternative", "TestResult", "check_alternative", "check_level", "frames_html", "interval", "tail"]

Alternative = Literal["two-sided", "less", "greater"]
ALTERNATIVES = ("two-sided", "less", "greater")


@dataclass(frozen=True, slots=True, eq=False)
class TestResult:
    """The outcome of a test.

    Attributes
    ----------
    what : str
        The test and what it compares, in words.
    statistic, pvalue : float
    df : tuple of float
        Degrees of freedom: none for z, one for t and chi-squared, two for F.
    estimate : dict of str to float
        What was estimated on the way: means, differences, ratios, measures of effect.
    ci : (low, high), optional
        Interval of the first estimate at ``level``; one end is infinite for a one-sided alternative.
    level : float
    alternative : str
        ``"two-sided"``, ``"less"`` or ``"greater"``, about the first sample against the second or the known value.
    n : tuple of int
        Observations in each sample.
    error : float
        How far ``statistic`` can be from that of the rows themselves; 0 unless it comes from a histogram or a sketch.
    pvalue_range : (low, high), optional
        The p-values that this error allows.
    variants : dict of str to TestResult
        The same question under other assumptions, this answer among them.
    tables : dict of str to DataFrame
    notes : tuple of str
        What to bear in mind.
    """

    __test__: ClassVar[bool] = False

    what: str
    statistic: float
    pvalue: float
    df: tuple[float, ...] = ()
    estimate: Mapping[str, float] = field(default_factory=dict)
    ci: tuple[float, float] | None = None
    level: float = 0.95
    alternative: Alternative = "two-sided"
    n: tuple[int, ...] = ()
    error: float = 0.0
    pvalue_range: tuple[float, float] | None = None
    variants: Mapping[str, TestResult] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def frame(self) -> pd.DataFrame:
        """One row per variant, or one."""
        rows = {name: v._row() for name, v in self.variants.items()} or {self.what: self._row()}
        return pd.DataFrame.from_dict(rows, orient="index")

    def _row(self) -> dict[str, Any]:
        row: dict[str, Any] = {"statistic": self.statistic, "pvalue": self.pvalue}
        names = ["df"] if len(self.df) == 1 else [f"df{i}" for i in range(1, len(self.df) + 1)]
        row |= dict(zip(names, self.df, strict=True))
        row |= self.estimate
        if self.ci is not None:
            row |= {"ci_low": self.ci[0], "ci_high": self.ci[1]}
        if self.error:
            row["error"] = self.error
        if self.pvalue_range is not None:
            row |= {"pvalue_low": self.pvalue_range[0], "pvalue_high": self.pvalue_range[1]}
        row["n"] = sum(self.n)
        return row

    def __str__(self) -> str:
        df = f", df {', '.join(f'{d:.6g}' for d in self.df)}" if self.df else ""
        ci = ""
        if self.ci is not None and self.estimate:
            ci = f"; {next(iter(self.estimate))} in [{self.ci[0]:.6g}, {self.ci[1]:.6g}] at {self.level:.0%}"
        error = f" +- {self.error:.2g}" if self.error else ""
        return f"{self.what}: statistic {self.statistic:.6g}{error}{df}, p-value {self.pvalue:.4g}{ci}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return frames_html(str(self), {"": self.frame, **self.tables}, self.notes)


def frames_html(title: str, frames: Mapping[str, pd.DataFrame], notes: Sequence[str] = ()) -> str:
    """Return a title, titled frames and notes as HTML; everything that comes from data is escaped.

    Examples
    --------
    >>> frames_html("<a>", {}, ["<b>"])
    '<div class="tex2jax_ignore mathjax_ignore"><div><strong>&lt;a&gt;</strong></div><ul><li>&lt;b&gt;</li></ul></div>'
    """
    shown = "".join(
        (f"<div>{escape(name)}</div>" if name else "") + f.to_html(escape=True, border=0, float_format="{:.6g}".format)
        for name, f in frames.items()
    )
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    body = f"<div><strong>{escape(title)}</strong></div>{shown}" + (f"<ul>{items}</ul>" if items else "")
    return f'<div class="tex2jax_ignore mathjax_ignore">{body}</div>'  # two names such as line$b are no formula


def check_level(level: float) -> None:
    """Refuse a level of confidence that is none."""
    if not 0 < level < 1:
        raise SchemaError(f"A level of confidence lies between 0 and 1, as 0.95 does; {level!r} does not.")


def check_alternative(alternative: str) -> None:
    """Refuse an alternative that is none."""
    if alternative not in ALTERNATIVES:
        raise SchemaError(f"The alternative is 'two-sided', 'less' or 'greater', not {alternative!r}.")


def tail(distribution: Any, statistic: float, alternative: Alternative) -> float:
    """Return the p-value of a statistic under a frozen distribution of SciPy."""
    check_alternative(alternative)
    if alternative == "less":
        return float(distribution.cdf(statistic))
    if alternative == "greater":
        return float(distribution.sf(statistic))
    return float(min(1.0, 2 * min(distribution.cdf(statistic), distribution.sf(statistic))))


def interval(
    distribution: Any, estimate: float, error: float, level: float, alternative: Alternative
) -> tuple[float, float]:
    """Return the interval of an estimate whose deviation over its standard error has a symmetric distribution."""
    check_level(level)
    if alternative == "two-sided":
        margin = float(distribution.ppf((1 + level) / 2)) * error
        return estimate - margin, estimate + margin
    margin = float(distribution.ppf(level)) * error
    return (-float("inf"), estimate + margin) if alternative == "less" else (estimate - margin, float("inf"))
