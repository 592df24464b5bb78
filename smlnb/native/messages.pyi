from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from confluent_kafka import Consumer
from numpy.typing import NDArray

FUNCTIONS: tuple[str, ...]

_Error: TypeAlias = tuple[int, str, int]
_Bytes: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.bool_] | None]
_Headers: TypeAlias = list[list[tuple[str, bytes | None]] | None]
_Taken: TypeAlias = tuple[
    list[tuple[str, int, slice | _Error]], NDArray[np.int64], NDArray[np.int64], _Bytes, _Bytes, _Headers | None
]

class Queue:
    full: bool
    def __init__(self, client: Consumer, place: int, functions: Mapping[str, int], size: int, weight: int) -> None: ...
    def close(self) -> None: ...
    def redirect(self, topic: str, partition: int) -> None: ...
    def take(self, timeout: int, with_headers: bool) -> _Taken | None: ...
