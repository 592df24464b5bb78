"""Nodes that live as long as the source above them, without a variable that holds them."""

from __future__ import annotations

from typing import Any

from streamz import Stream

__all__ = ["Kept"]


class Kept(Stream):  # type: ignore[misc]
    """A node that the sources above it hold, until it is destroyed: streamz itself holds nodes weakly, but for sinks.

    Examples
    --------
    >>> import gc, smlnb
    >>> project, source = smlnb.Project("p", types="C"), Stream()
    >>> _ = source.map(dict).learn(project)
    >>> _ = gc.collect()
    >>> source.emit({"x": [1.0, 2.0]})
    >>> project.n
    2
    """

    def __init__(self, upstream: Stream, **kwargs: Any) -> None:
        super().__init__(upstream, **kwargs)
        self._sources = _sources(self)
        for source in self._sources:
            vars(source).setdefault("_smlnb_kept", []).append(self)

    def destroy(self, streams: Any = None) -> None:
        """Leave the pipeline."""
        super().destroy(streams)
        if not self.upstreams:
            for source in self._sources:
                source._smlnb_kept.remove(self)
            self._sources = []


def _sources(node: Stream) -> list[Stream]:
    above = [up for up in node.upstreams if up is not None]
    return list(dict.fromkeys(source for up in above for source in _sources(up) or [up]))
