"""Handing batches to the nodes of a streamz stream from a thread, and waiting until they are done with."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from streamz import Stream
from streamz.core import sync, thread_state

__all__ = ["deliver"]


def deliver(stream: Stream, x: Any) -> None:
    """Emit, and return when everything downstream is done, on an event loop if some node needs one."""
    if stream.loop is None:
        waiting = stream._emit(x)
        if waiting:
            asyncio.run(_all(waiting))
    else:
        sync(stream.loop, _emit_in_loop, stream, x)


async def _all(waiting: Sequence[Any]) -> None:
    await asyncio.gather(*waiting)


async def _emit_in_loop(stream: Stream, x: Any) -> None:
    thread_state.asynchronous = True
    try:
        await asyncio.gather(*stream._emit(x))
    finally:
        del thread_state.asynchronous
