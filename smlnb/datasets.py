"""The demonstration data: the Statlog (Shuttle) set, and a generator of the same shape for when it can't be had.

:func:`shuttle` never returns anything but that set: whatever the source, the parsed rows are compared with a known
SHA-256. The package does not carry the data.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from http.client import HTTPException
from pathlib import Path
from typing import NoReturn

import ncompress
import numpy as np
import pandas as pd
import platformdirs
from numpy.typing import NDArray

from smlnb.errors import DataError

__all__ = ["COLUMNS", "SENSORS", "TYPES", "shuttle", "shuttle_like"]

SENSORS = tuple(f"s{i}" for i in range(1, 10))
COLUMNS = (*SENSORS, "class")
TYPES = "C,C,C,C,C,C,C,C,C,X"

UCI_URL = "https://archive.ics.uci.edu/ml/machine-learning-databases/statlog/shuttle/"
SHA256 = "2993782d44e631e0565eb7ab5766bb4306764d9345af6916e3e42ea4486d359c"
NORMAL, DROPPED = 1, 4  # of the seven classes in the UCI files; the others together are the anomalies
MAX_BYTES = 16 * 2**20  # the larger file has 1.5 MB
ANOMALOUS = 3511 / 49097

Parsed = tuple[NDArray[np.float64], NDArray[np.int64]]


def shuttle(*, timeout: float = 30.0) -> pd.DataFrame:
    """Return the Statlog (Shuttle) set: 49,097 rows of 9 sensors and a class, 7.15 % of them anomalies.

    Class 1 of the original is normal (0 here), classes 2, 3, 5, 6 and 7 are anomalies (1 here), class 4 is dropped;
    rows stand in file order, the training part first. They are read from the folder that the environment variable
    ``SMLNB_DATA`` names, if it is set; else from the user's cache folder; else from the UCI archive (or the address
    in ``SMLNB_SHUTTLE_URL``), and cached.

    Parameters
    ----------
    timeout : float
        Seconds that the whole download may take.

    Returns
    -------
    pandas.DataFrame
        Integer columns ``s1`` to ``s9`` and ``class``.

    Raises
    ------
    DataError
        If the data can't be had, or what was found is not that set.
    """
    folder = os.environ.get("SMLNB_DATA")
    if folder:
        return _frame(_from_folder(Path(folder), SHA256))
    cache = Path(platformdirs.user_cache_dir("smlnb")) / "shuttle.npz"
    if cache.is_file():
        try:
            return _frame(_verified(_read_npz(cache), SHA256, str(cache)))
        except DataError:
            cache.unlink(missing_ok=True)  # damaged: fetched again, and written anew
    base = os.environ.get("SMLNB_SHUTTLE_URL") or UCI_URL
    return _frame(_download(base, SHA256, cache, timeout))


def shuttle_like(rows: int = 49097, seed: int = 0) -> pd.DataFrame:
    """Return synthetic data of the Shuttle set's shape: for demonstrations without a network, and for tests.

    A machine changes between a few regimes. Two sensors measure a level and a load, one a temperature that follows the
    regime; three more are noise about zero with rare, enormous spikes; the last three are differences of the others, so
    that an anomaly shows in several columns. In 7.15 % of the rows something is wrong: mostly the load is too high, or
    the temperature breaks away, or a valve sensor jumps.

    Parameters
    ----------
    rows : int
        How many.
    seed : int
        The same seed gives the same rows.

    Returns
    -------
    pandas.DataFrame
        Integer columns ``s1`` to ``s9`` and ``class`` (1 is an anomaly).

    Examples
    --------
    >>> frame = shuttle_like(1000, seed=1)
    >>> frame.shape, frame.equals(shuttle_like(1000, seed=1))
    ((1000, 10), True)
    """
    if rows < 0:
        raise DataError(f"rows={rows}: give the number of rows, 0 or more.")
    rng = np.random.default_rng(seed)
    regime = rng.choice(4, rows, p=[0.46, 0.30, 0.17, 0.07])
    wrong = rng.random(rows) < ANOMALOUS
    kind = np.where(wrong, rng.choice([1, 2, 3], rows, p=[0.86, 0.10, 0.04]), 0)  # load, temperature, valve

    load = np.array([40, 46, 51, 57])[regime] + rng.normal(0, 2.2, rows)
    load = np.where(kind == 1, rng.normal(88, 8, rows), load)
    temperature = np.array([80, 84, 90, 104])[regime] + rng.gamma(2.0, 1.4, rows) - 2
    level = np.array([44, 40, 34, 12])[regime] + 2 * np.round(rng.normal(0, 2, rows))
    level = np.where(kind == 1, rng.choice([-38, -6, 68], rows, p=[0.5, 0.35, 0.15]) + rng.normal(0, 5, rows), level)
    temperature = np.where(kind == 2, temperature + rng.normal(45, 6, rows), temperature)

    valves = [_spiky(rng, rows, scale, spike) for scale, spike in ((1.6, 300.0), (2.2, 250.0), (9.0, 900.0))]
    valves[0] = np.where(kind == 3, np.sign(rng.normal(size=rows)) * rng.lognormal(6.5, 1.0, rows), valves[0])
    slack, margin = temperature - load, temperature - level
    columns = [load, valves[0], temperature, valves[1], level, valves[2], slack, margin, margin - slack]
    noise = [0, 0, 0, 0, 0, 0, 0.6, 0.6, 0.8]
    numbers = [
        np.rint(column + rng.normal(0, width, rows) if width else column).astype(np.int64)
        for column, width in zip(columns, noise, strict=True)
    ]
    return pd.DataFrame(dict(zip(COLUMNS, [*numbers, wrong.astype(np.int64)], strict=True)))


def _spiky(rng: np.random.Generator, rows: int, scale: float, spike: float) -> NDArray[np.float64]:
    """Return mostly zeros and small numbers, and in one row of 2,000 a number of a few ``spike``."""
    quiet = np.where(rng.random(rows) < 0.5, 0.0, rng.normal(0, scale, rows))
    return np.where(rng.random(rows) < 0.0005, rng.standard_t(2, rows) * spike, quiet)


def _frame(parsed: Parsed) -> pd.DataFrame:
    X, y = parsed
    columns = {name: X[:, i].astype(np.int64) for i, name in enumerate(SENSORS)}
    return pd.DataFrame({**columns, "class": y})


def _from_folder(folder: Path, expected: str) -> Parsed:
    if (npz := folder / "shuttle.npz").is_file():
        return _verified(_read_npz(npz), expected, str(npz))
    test = folder / "shuttle.tst"
    for train in (folder / "shuttle.trn", folder / "shuttle.trn.Z"):
        if train.is_file() and test.is_file():
            text = train.read_bytes()
            text = _uncompressed(text, str(train)) if train.suffix == ".Z" else text
            return _verified(_parsed(text, test.read_bytes(), str(folder)), expected, str(folder))
    raise DataError(
        f"SMLNB_DATA names the folder {folder}, which holds no shuttle.npz and no shuttle.trn or shuttle.trn.Z "
        "with shuttle.tst. Put them there, or unset SMLNB_DATA to have them downloaded.",
    )


def _read_npz(path: Path) -> Parsed:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            return np.asarray(arrays["X"], dtype=np.float64), np.asarray(arrays["y"], dtype=np.int64)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} can't be read as the arrays X and y ({error}). Delete it or replace it.") from error


def _parsed(train: bytes, test: bytes, where: str) -> Parsed:
    """Read the two UCI files: ten numbers a line, the class last."""
    try:
        parts = [np.loadtxt(io.BytesIO(text), dtype=np.int64, ndmin=2) for text in (train, test)]
        table = np.concatenate(parts)
    except ValueError as error:
        _refuse(where, f"is not ten numbers a line: {error}")
    if table.shape[1] != len(COLUMNS):
        _refuse(where, f"has {table.shape[1]} numbers a line, not {len(COLUMNS)}")
    table = table[table[:, -1] != DROPPED]
    return table[:, :-1].astype(np.float64), (table[:, -1] != NORMAL).astype(np.int64)


def _verified(parsed: Parsed, expected: str, where: str) -> Parsed:
    if _digest(*parsed) != expected:
        _refuse(where, "differs from it (SHA-256 of the parsed rows)")
    return parsed


def _digest(X: NDArray[np.float64], y: NDArray[np.int64]) -> str:
    numbers = np.ascontiguousarray(X, dtype="<f8").tobytes()
    return hashlib.sha256(numbers + np.ascontiguousarray(y, dtype="<i8").tobytes()).hexdigest()


def _refuse(where: str, why: str) -> NoReturn:
    raise DataError(
        f"What {where} holds is not the Statlog (Shuttle) set: it {why}. "
        "Get the UCI files again, or use smlnb.datasets.shuttle_like().",
    )


def _uncompressed(data: bytes, where: str) -> bytes:
    try:
        text: bytes = ncompress.decompress(data)
    except (ValueError, RuntimeError) as error:
        raise DataError(f"{where} is damaged: {error}. Get it again.") from error
    return text


def _download(base: str, expected: str, cache: Path, timeout: float) -> Parsed:
    """Fetch the UCI files, verify what they hold, and only then keep it."""
    base = base.rstrip("/") + "/"
    deadline = time.monotonic() + timeout
    train = _uncompressed(_fetch(base + "shuttle.trn.Z", deadline), base + "shuttle.trn.Z")
    parsed = _verified(_parsed(train, _fetch(base + "shuttle.tst", deadline), base), expected, base)
    try:
        _write(cache, parsed)
    except OSError:
        return parsed  # a cache that can't be written costs the next download, nothing else
    return parsed


def _fetch(url: str, deadline: float) -> bytes:
    way_out = "Set SMLNB_DATA to a folder with shuttle.npz, or use smlnb.datasets.shuttle_like()."
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise DataError(f"The Shuttle data can't be fetched from {url}: this is no http address. {way_out}")
    parts: list[bytes] = []
    try:
        left = max(deadline - time.monotonic(), 0.001)
        with urllib.request.urlopen(url, timeout=left) as answer:  # noqa: S310 - the scheme was checked
            while chunk := answer.read(2**16):
                parts.append(chunk)
                if time.monotonic() > deadline or sum(map(len, parts)) > MAX_BYTES:
                    raise DataError(f"The Shuttle data at {url} came too slowly or is too large. {way_out}")
    except (OSError, HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection
        raise DataError(f"The Shuttle data can't be fetched from {url}: {error}. {way_out}") from None
    return b"".join(parts)


def _write(cache: Path, parsed: Parsed) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".shuttle-", suffix=".npz", dir=cache.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.savez_compressed(file, X=parsed[0], y=parsed[1])
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, cache)  # noqa: PTH105 - both are names; the rename is atomic
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
