"""Lines of comma-separated values to columns.

The lines of a batch are joined and split into columns of text by Arrow, then each column is converted in one go. Lines
with quotation marks or breaks within are split one by one: only so a quotation mark that is never closed spoils no more
than its own record.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from smlnb.errors import ConfigError
from smlnb.formats.decoded import EMPTY, TOMBSTONE, Decoded, Headers
from smlnb.formats.text_numbers import as_numbers, is_written, plain_numbers, why_no_number

__all__ = ["MISSING", "CsvDecoder"]

MISSING = ("", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None")  # in columns of numbers and of booleans
_TRUE, _FALSE = pa.array(["true", "True", "TRUE"]), pa.array(["false", "False", "FALSE"])
_LARGEST_FIELD = 2**31 - 1
_REASONS = {"unexpected end of data": "a quotation mark is not closed"}

csv.field_size_limit(_LARGEST_FIELD)


class CsvDecoder:
    """Makes columns of values that are one line each; see :class:`~smlnb.formats.decoded.Decoder`.

    What most of a column's values are in the first batch that has any decides what it holds: numbers (whole ones may
    become decimal later), booleans (``true`` and ``false``) or text. A field that is empty, or ``NA``, ``NaN``,
    ``null`` and the like among numbers and booleans, is null.

    Refused are lines with more or fewer fields, with quotation marks that are not closed, with several lines outside
    of quotation marks, not in UTF-8, or with text among numbers; and the line of names itself.

    Parameters
    ----------
    columns : sequence of str, or str
        The names, or the line of names as it would stand at the head of a file; where the delimiter is not in it, its
        names may be separated by commas.
    delimiter : str
        One character between fields.

    Raises
    ------
    ConfigError
        If there are no names, one twice, or no single delimiter.

    Examples
    --------
    >>> decoded = CsvDecoder("id,x,name").decode([b"1,0.5,a", b'2,,"b, c"', b"3"])
    >>> decoded.data.to_pylist()
    [{'id': 1, 'x': 0.5, 'name': 'a'}, {'id': 2, 'x': None, 'name': 'b, c'}]
    >>> decoded.refused
    ((2, 'the line has 1 fields instead of 3'),)
    """

    uses_headers = False

    def __init__(self, columns: Sequence[str] | str, delimiter: str = ",") -> None:
        if len(delimiter) != 1 or delimiter in '"\r\n' or not delimiter.isascii():
            raise ConfigError(f"delimiter= is {delimiter!r}; give one ASCII character that is no quotation mark.")
        self._delimiter = delimiter
        names = self._named(columns) if isinstance(columns, str) else list(map(str, columns))
        twice = sorted({n for n in names if names.count(n) > 1})
        if not any(names) or twice:
            what = f"names {twice[0]!r} twice" if twice else "names no column"
            raise ConfigError(f"columns= {what}. Give the name of each field of a line, once.")
        self._names = names
        self._types: dict[str, pa.DataType] = {}

    def _named(self, line: str) -> list[str]:
        names = next(self._reader(line), [])
        return [name.strip() for name in line.split(",")] if len(names) == 1 and "," in line else names

    def decode(self, values: Sequence[bytes | None], headers: Headers | None = None) -> Decoded:  # noqa: ARG002
        """Decode the values; see :meth:`smlnb.formats.decoded.Decoder.decode`."""
        refused: dict[int, str] = {}
        texts = self._whole(values)
        if texts is None:
            texts, rows = self._each(values, refused)
        else:
            rows = np.arange(len(values))
        fits = np.ones(len(rows), dtype=bool)
        arrays = []
        for name, text in zip(self._names, texts, strict=True):
            array, good = self._convert(name, text)
            arrays.append(array)
            if good.false_count:
                mask = good.to_numpy(zero_copy_only=False)
                for i in np.flatnonzero(fits & ~mask).tolist():
                    refused[int(rows[i])] = self._unfit(name, text[i].as_py())
                fits &= mask
        data = pa.RecordBatch.from_arrays(arrays, names=self._names)
        if not fits.all():
            data, rows = data.filter(pa.array(fits)), rows[fits]
        return Decoded(data, rows, tuple(sorted(refused.items())))

    def _unfit(self, name: str, text: str) -> str:
        if self._types[name] == pa.bool_():
            return f"{name!r}: {text[:40]!r} is neither true nor false"
        return f"{name!r}: {why_no_number(text)}"

    def _whole(self, values: Sequence[bytes | None]) -> list[pa.Array] | None:
        """Split all lines at once; return None if any needs a closer look."""
        try:
            text = b"\n".join(values)  # type: ignore[arg-type] # None raises TypeError
        except TypeError:
            return None
        header = self._delimiter.join(self._names).encode()
        plain = b'"' not in text and b"\r" not in text and text.count(b"\n") == len(values) - 1 and header not in text
        if not plain or b"" in values:
            return None
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(text),
                read_options=pyarrow.csv.ReadOptions(
                    column_names=self._names, use_threads=False, block_size=len(text) + 1
                ),
                parse_options=pyarrow.csv.ParseOptions(delimiter=self._delimiter, ignore_empty_lines=False),
                convert_options=pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(self._names, pa.string())),
            )
        except pa.ArrowInvalid:
            return None
        return [pa.concat_arrays(c.chunks) for c in table.columns] if len(table) == len(values) else None

    def _each(
        self, values: Sequence[bytes | None], refused: dict[int, str]
    ) -> tuple[list[pa.Array], NDArray[np.int64]]:
        lines, rows = [], []
        for i, value in enumerate(values):
            fields = self._fields(value)
            if isinstance(fields, str):
                refused[i] = fields
            else:
                lines.append(fields)
                rows.append(i)
        columns = zip(*lines, strict=True) if lines else ((),) * len(self._names)
        return [pa.array(c, pa.string()) for c in columns], np.array(rows, np.int64)

    def _fields(self, value: bytes | None) -> list[str] | str:
        """Return the fields of a line, or what is wrong with it."""
        if value is None or not value.strip():
            return TOMBSTONE if value is None else EMPTY
        try:
            lines = list(self._reader(value.decode("utf-8")))
        except UnicodeDecodeError as error:
            return f"invalid UTF-8 at byte {error.start}"
        except csv.Error as error:
            return f"malformed CSV: {_REASONS.get(str(error), str(error))}"
        fields = lines[0]
        if len(lines) > 1:
            return f"malformed CSV: {len(lines)} lines in one record"
        if len(fields) != len(self._names):
            return f"the line has {len(fields)} fields instead of {len(self._names)}"
        return "the line holds the names of the columns" if fields == self._names else fields

    def _reader(self, text: str) -> Iterator[list[str]]:
        return csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter, strict=True)

    def _convert(self, name: str, text: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Return the column in its type, and whether each of its values is of it."""
        kind = self._types.get(name)
        if kind is None:
            kind = _usual(text)
            if kind is not None:
                self._types[name] = kind
        if kind is None:
            return pa.nulls(len(text)), pa.repeat(pa.scalar(True), len(text))
        if kind == pa.string():
            return pc.if_else(pc.equal(text, ""), None, text), pa.repeat(pa.scalar(True), len(text))
        if kind == pa.bool_():
            present = _present(text)
            truth = pc.is_in(present, _TRUE)
            known = pc.or_(truth, pc.is_in(present, _FALSE))
            return pc.if_else(known, truth, None), pc.or_(known, pc.is_null(present))
        return self._numbers(name, text)

    def _numbers(self, name: str, text: pa.Array) -> tuple[pa.Array, pa.Array]:
        whole = self._types[name] == pa.int64()
        plain = _whole_numbers(text) if whole else plain_numbers(text)
        if plain is not None:
            return plain, pa.repeat(pa.scalar(True), len(text))
        present = _present(text)
        if whole:
            written = is_written(present)
            numbers = _whole_numbers(pc.if_else(written, present, None))
            if numbers is not None:
                return numbers, pc.fill_null(written, True)
            self._types[name] = pa.float64()
        return as_numbers(present)


def _present(text: pa.Array) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(text)
    return pc.if_else(pc.is_in(trimmed, pa.array(MISSING)), None, trimmed)


def _whole_numbers(text: pa.Array) -> pa.Array | None:
    try:
        return text.cast(pa.int64())
    except pa.ArrowInvalid:
        return None


def _usual(text: pa.Array) -> pa.DataType | None:
    """Return what most of the values are; None if there is none."""
    present = _present(text).drop_null()
    if not len(present):
        return None
    numbers = pc.sum(is_written(present)).as_py()
    if numbers * 2 > len(present):
        return pa.int64()  # becomes decimal with the first number that is
    booleans = pc.sum(pc.is_in(present, pa.concat_arrays([_TRUE, _FALSE]))).as_py()
    return pa.bool_() if booleans * 2 > len(present) else pa.string()
