"""Small HTML tables: text from data is escaped, numbers are aligned and short."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

__all__ = ["facts", "number", "table", "whole"]

_LARGEST: Final = 1e12  # from here on, powers of ten


def number(value: float | None, digits: int = 4) -> str:
    """Return a number as people read it.

    Examples
    --------
    >>> number(1234567.8), number(-4624.0), number(0.000012345), number(float("nan")), number(-0.0)
    ('1,234,568', '-4,624', '1.234e-05', '\u2013', '0')
    >>> number(48.25), number(5.6), number(12.0)  # four digits, unless it is whole: columns line up
    ('48.25', '5.600', '12')
    """
    if value is None or math.isnan(value):
        return "\N{EN DASH}"
    if math.isinf(value):
        return "\N{INFINITY}" if value > 0 else "\N{MINUS SIGN}\N{INFINITY}"
    size = abs(value)
    if size >= _LARGEST:
        return f"{value:.{digits}g}"
    if size >= 10**digits - 0.5:
        return f"{value:,.0f}"
    if float(value).is_integer():
        return f"{value + 0.0:,.{digits}g}"
    return f"{value:#,.{digits}g}".rstrip(".")


def whole(value: float) -> str:
    """Return a count with separators.

    Examples
    --------
    >>> whole(49097)
    '49,097'
    """
    return f"{value:,.0f}"


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    caption: str = "",
    text: Iterable[int] = (),
) -> str:
    """Return a table whose first column names the rows; those of the numbers ``text`` are aligned left.

    Examples
    --------
    >>> "&lt;s1&gt;" in table(["attribute", "mean"], [["<s1>", "1"]])
    True
    """
    left = {0, *text}

    def cell(tag: str, i: int, content: str, scope: str = "") -> str:
        style = ' class="smlnb-text"' if i in left else ""
        return f"<{tag}{scope}{style}>{escape(content)}</{tag}>"

    head = "".join(cell("th", i, c, ' scope="col"') for i, c in enumerate(columns))
    body = "".join(
        "<tr>"
        + "".join(cell("td" if i else "th", i, c, "" if i else ' scope="row"') for i, c in enumerate(line))
        + "</tr>"
        for line in rows
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="smlnb-scroll"><table class="smlnb-table">{title}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def facts(title: str, *items: str | tuple[str, str]) -> str:
    """Return a title with facts behind it; of a pair the first is emphasised.

    Examples
    --------
    >>> facts("shuttle", ("12", "rows"))
    '<span class="smlnb-title">shuttle</span><span class="smlnb-facts"><span><b>12</b> rows</span></span>'
    """
    shown = "".join(
        f"<span><b>{escape(item[0])}</b> {escape(item[1])}</span>"
        if isinstance(item, tuple)
        else f"<span>{escape(item)}</span>"
        for item in items
    )
    return f'<span class="smlnb-title">{escape(title)}</span><span class="smlnb-facts">{shown}</span>'
