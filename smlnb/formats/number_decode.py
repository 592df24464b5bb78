"""Values that are one number each: as text, or as the bytes that Kafka's own serialisers write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from smlnb.errors import ConfigError
from smlnb.formats.decoded import EMPTY, TOMBSTONE, Decoded, Headers
from smlnb.formats.text_numbers import as_numbers, why_no_number

__all__ = ["BinaryNumberDecoder", "NumberDecoder"]

_WRITTEN: Mapping[str, tuple[str, str]] = {  # NumPy's name of what is written, and its serialiser
    "double": (">f8", "DoubleSerializer"),
    "float": (">f4", "FloatSerializer"),
    "long": (">i8", "LongSerializer"),
    "integer": (">i4", "IntegerSerializer"),
    "short": (">i2", "ShortSerializer"),
}


class NumberDecoder:
    """Makes one column ``value`` of numbers as text; see :class:`~smlnb.formats.decoded.Decoder`.

    What is a number is said by :func:`~smlnb.formats.text_numbers.as_numbers`.

    Examples
    --------
    >>> decoded = NumberDecoder().decode([b"3.14", b"three"])
    >>> decoded.data.to_pydict(), decoded.refused
    ({'value': [3.14]}, ((1, "b'three' is no number"),))
    """

    uses_headers = False

    def decode(self, values: Sequence[bytes | None], headers: Headers | None = None) -> Decoded:  # noqa: ARG002
        """Decode the values; see :meth:`smlnb.formats.decoded.Decoder.decode`."""
        numbers, _ = as_numbers(pa.array(values, pa.binary()))
        if not numbers.null_count:
            return Decoded(pa.record_batch({"value": numbers}), np.arange(len(values)))
        good = numbers.is_valid().to_numpy(zero_copy_only=False)
        refused = tuple((i, _why(values[i])) for i in np.flatnonzero(~good).tolist())
        return Decoded(pa.record_batch({"value": numbers.drop_null()}), np.flatnonzero(good), refused)


def _why(value: bytes | None) -> str:
    if value is None:
        return TOMBSTONE
    return why_no_number(value) if value.strip() else EMPTY


class BinaryNumberDecoder:
    """Makes one column ``value`` of numbers as Kafka's serialisers write them, big-endian.

    Parameters
    ----------
    kind : {"double", "float", "long", "integer", "short"}
        8, 4, 8, 4 and 2 bytes, by ``DoubleSerializer``, ``FloatSerializer``, ``LongSerializer``, ``IntegerSerializer``
        and ``ShortSerializer``.

    Examples
    --------
    >>> BinaryNumberDecoder("long").decode([(7).to_bytes(8, "big")]).data.to_pydict()
    {'value': [7]}
    """

    uses_headers = False

    def __init__(self, kind: str) -> None:
        if kind not in _WRITTEN:
            raise ConfigError(f"There is no kind of number {kind!r}. Use one of {', '.join(_WRITTEN)}.")
        form, self._serializer = _WRITTEN[kind]
        self._form = np.dtype(form)

    def decode(self, values: Sequence[bytes | None], headers: Headers | None = None) -> Decoded:  # noqa: ARG002
        """Decode the values; see :meth:`smlnb.formats.decoded.Decoder.decode`."""
        size = self._form.itemsize
        good = [v for v in values if v is not None and len(v) == size]
        read = np.frombuffer(b"".join(good), self._form)
        column = pa.array(read.astype(np.int64 if self._form.kind == "i" else np.float64))
        data = pa.record_batch({"value": column})
        if len(good) == len(values):
            return Decoded(data, np.arange(len(values)))
        refused = {i: self._why(v) for i, v in enumerate(values) if v is None or len(v) != size}
        return Decoded(data, np.delete(np.arange(len(values)), list(refused)), tuple(refused.items()))

    def _why(self, value: bytes | None) -> str:
        if value is None:
            return TOMBSTONE
        wanted = f"the {self._form.itemsize} that {self._serializer} writes"
        return f"the value has {len(value)} bytes instead of {wanted}" if value else EMPTY
