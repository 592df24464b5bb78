from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]

def sift(
    values: Integers, levels: Integers, slots: Integers, shifts: Integers, keys: Integers, bounds: Integers
) -> None: ...
