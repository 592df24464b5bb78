"""Anything tabular as a sequence of Arrow record batches: tables, files, iterators of tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from smlnb.batch import as_record_batch
from smlnb.errors import DataError

__all__ = ["batches_of"]


def batches_of(data: Any, names: Sequence[str] | None = None) -> tuple[Iterator[pa.RecordBatch], int | None]:
    """Return record batches, and how many rows they have in all if that is known.

    Parameters
    ----------
    data
        What :func:`smlnb.batch.as_record_batch` takes, the path of a CSV, Parquet or JSON-lines file, or an iterator of
        tables.
    names : sequence of str, optional
        Column names of an array, or of a CSV file without a header.

    Raises
    ------
    DataError
        If a file is missing, damaged or of an unknown kind.
    SchemaError
        If the data is not tabular.

    Examples
    --------
    >>> batches, rows = batches_of({"x": [1, 2]})
    >>> rows, next(batches).num_rows
    (2, 2)
    """
    if isinstance(data, str | Path):
        return _of_file(Path(data).expanduser(), names)
    if isinstance(data, Iterator):
        return (as_record_batch(part, names) for part in data), None
    batch = as_record_batch(data, names)
    return iter([batch]), batch.num_rows


def _of_file(path: Path, names: Sequence[str] | None) -> tuple[Iterator[pa.RecordBatch], int | None]:
    if not path.is_file():
        raise DataError(f"There is no file {str(path)!r}.")
    ends = [s.lower() for s in path.suffixes[-2:]]  # .csv.gz is read as well
    try:
        if ".parquet" in ends:
            file = pyarrow.parquet.ParquetFile(path)
            return _checked(file.iter_batches(), path), file.metadata.num_rows
        if ".csv" in ends:
            options = pyarrow.csv.ReadOptions(column_names=list(names) if names else None)
            return _checked(pyarrow.csv.open_csv(path, read_options=options), path), None
        if {".json", ".jsonl", ".ndjson"} & set(ends):
            table = pyarrow.json.read_json(path)
            return iter(table.to_batches()), table.num_rows
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"The file {str(path)!r} can't be read: {error}") from None
    raise DataError(f"{path.name!r} is neither .csv, .parquet nor .jsonl. Read it by yourself and give the table.")


def _checked(batches: Iterable[pa.RecordBatch], path: Path) -> Iterator[pa.RecordBatch]:
    try:
        yield from batches
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"The file {str(path)!r} can't be read to its end: {error}") from None
