"""What runs in a thread of its own is stopped at the end of a ``with`` block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

__all__ = ["Stoppable"]


class Stoppable(ABC):
    """Something that :meth:`stop` ends, by itself at the end of a ``with`` block."""

    @abstractmethod
    def stop(self) -> None:
        """End it; nothing happens if that was done before."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
