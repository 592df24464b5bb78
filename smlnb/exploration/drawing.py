"""Small drawings for results in a notebook, in the colour of the text around them."""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["bars_svg"]


def bars_svg(heights: ArrayLike, *, label: str, top: float | None = None, width: int = 240, height: int = 48) -> str:
    """Return bars side by side as an SVG picture.

    Parameters
    ----------
    heights : array, shape (bars,)
        Not negative.
    label : str
        What is seen, for who can't see it.
    top : float, optional
        The height of the whole picture; the highest bar by default.
    width, height : int
        In pixels.

    Examples
    --------
    >>> bars_svg([1, 2], label="two bars", width=20, height=10)[-78:]
    '<path fill="currentColor" opacity=".6" d="M0 10V5.0H10.0V0.0H20.0V10Z"/></svg>'
    """
    bars = np.asarray(heights, dtype=float)
    finite = np.where(np.isfinite(bars), bars, 0.0)
    highest = float(finite.max(initial=0.0)) if top is None else top
    levels = height * (1 - finite / highest) if highest > 0 else np.full(len(bars), float(height))
    right = width * np.arange(1, len(bars) + 1) / max(1, len(bars))
    steps = "".join(f"V{y:.1f}H{x:.1f}" for x, y in zip(right.tolist(), levels.tolist(), strict=True))
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    path = f'<path fill="currentColor" opacity=".6" d="M0 {height}{steps}V{height}Z"/>'
    return f'<svg role="img" aria-label="{escape(label)}" {size}>{path}</svg>'
