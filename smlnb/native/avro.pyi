from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["decode", "integers"]

Text: TypeAlias = tuple[NDArray[np.int32], NDArray[np.uint8]]
Number: TypeAlias = NDArray[np.int64] | NDArray[np.float64] | NDArray[np.bool_]

def decode(
    data: NDArray[np.uint8],
    bounds: NDArray[np.int64],
    frame: bytes,
    kinds: bytes,
    nulls: bytes,
    sizes: NDArray[np.int64],
) -> list[tuple[Number | Text, NDArray[np.bool_] | None]] | None: ...
def integers(bounds: NDArray[np.int32], data: NDArray[np.uint8]) -> NDArray[np.int64] | None: ...
