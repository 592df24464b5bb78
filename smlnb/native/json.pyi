from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

WHOLE: int
DECIMAL: int
BOOLEAN: int
TEXT: int

Numbers: TypeAlias = dict[str, NDArray[Any]]
Texts: TypeAlias = dict[str, tuple[NDArray[np.int32], NDArray[np.uint8]]]
Nulls: TypeAlias = dict[str, NDArray[np.bool_]]

class Records:
    def __init__(self, shape: Mapping[str, Any]) -> None: ...
    def decode(self, data: NDArray[np.uint8], bounds: NDArray[np.int64]) -> tuple[Numbers, Texts, Nulls] | None: ...
