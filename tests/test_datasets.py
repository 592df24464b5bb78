from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import ncompress
import numpy as np
import pytest

from smlnb import datasets
from smlnb.errors import DataError
from smlnb.evaluate import ranking
from smlnb.project import Project


def uci(rows: int, seed: int) -> np.ndarray:
    """Rows as in the UCI files: nine sensors, and a class of 1 to 7."""
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.integers(-50, 130, (rows, 9)), rng.integers(1, 8, rows)])


def text(table: np.ndarray) -> bytes:
    return "".join(" ".join(map(str, row)) + "\n" for row in table.tolist()).encode()


TRAIN, TEST = uci(300, 1), uci(100, 2)


def kept() -> tuple[np.ndarray, np.ndarray]:
    both = np.concatenate([TRAIN, TEST])
    both = both[both[:, 9] != 4]
    return both[:, :9].astype(float), (both[:, 9] != 1).astype(np.int64)


EXPECTED = datasets._digest(*kept())


class Archive:
    """A loopback archive: what it serves can be changed, what was asked is counted."""

    def __init__(self) -> None:
        self.files = {"/shuttle/shuttle.trn.Z": ncompress.compress(text(TRAIN)), "/shuttle/shuttle.tst": text(TEST)}
        self.asked: list[str] = []
        archive = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                archive.asked.append(self.path)
                body = archive.files.get(self.path)
                if body is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/shuttle"


@pytest.fixture
def archive() -> Iterator[Archive]:
    archive = Archive()
    thread = threading.Thread(target=archive.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield archive
    archive.server.shutdown()
    thread.join()
    archive.server.server_close()


def test_a_download_holds_the_training_rows_then_the_test_rows_without_class_4(archive: Archive, tmp_path: Path):
    X, y = datasets._download(archive.url, EXPECTED, tmp_path / "deep" / "shuttle.npz", 10)
    np.testing.assert_array_equal(X, kept()[0])
    np.testing.assert_array_equal(y, kept()[1])


def test_a_verified_download_is_cached_and_read_back_without_asking_again(archive, tmp_path, monkeypatch):
    monkeypatch.delenv("SMLNB_DATA", raising=False)
    monkeypatch.setenv("SMLNB_SHUTTLE_URL", archive.url)
    monkeypatch.setattr(datasets, "SHA256", EXPECTED)
    monkeypatch.setattr(datasets.platformdirs, "user_cache_dir", lambda _: str(tmp_path))
    first = datasets.shuttle()
    assert first.shape == (len(kept()[1]), 10)
    assert list(first.columns) == [*(f"s{i}" for i in range(1, 10)), "class"]
    assert datasets.shuttle().equals(first)
    assert len(archive.asked) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["shuttle.npz"]


def test_a_damaged_cache_is_fetched_again(archive, tmp_path, monkeypatch):
    monkeypatch.delenv("SMLNB_DATA", raising=False)
    monkeypatch.setenv("SMLNB_SHUTTLE_URL", archive.url)
    monkeypatch.setattr(datasets, "SHA256", EXPECTED)
    monkeypatch.setattr(datasets.platformdirs, "user_cache_dir", lambda _: str(tmp_path))
    (tmp_path / "shuttle.npz").write_bytes(b"PK\x03\x04 not really")
    assert len(datasets.shuttle()) == len(kept()[1])
    assert len(archive.asked) == 2


def flip_a_digit(files: dict[str, bytes]) -> None:
    files["/shuttle/shuttle.tst"] = files["/shuttle/shuttle.tst"].replace(b"7", b"8", 1)


def cut_the_compressed(files: dict[str, bytes]) -> None:
    files["/shuttle/shuttle.trn.Z"] = files["/shuttle/shuttle.trn.Z"][:400]


def no_z_at_all(files: dict[str, bytes]) -> None:
    files["/shuttle/shuttle.trn.Z"] = b"<html>moved</html>"


def not_numbers(files: dict[str, bytes]) -> None:
    files["/shuttle/shuttle.tst"] = b"<html>moved</html>"


def fewer_columns(files: dict[str, bytes]) -> None:
    files["/shuttle/shuttle.trn.Z"] = ncompress.compress(b"1 2 3\n")
    files["/shuttle/shuttle.tst"] = b"1 2 3\n"


def missing(files: dict[str, bytes]) -> None:
    del files["/shuttle/shuttle.tst"]


def empty(files: dict[str, bytes]) -> None:
    files["/shuttle/shuttle.tst"] = b""


@pytest.mark.filterwarnings("ignore:loadtxt")
@pytest.mark.parametrize(
    "damage", [flip_a_digit, cut_the_compressed, no_z_at_all, not_numbers, fewer_columns, missing, empty]
)
def test_a_damaged_download_is_refused_in_one_line_and_not_cached(archive, tmp_path, damage):
    damage(archive.files)
    with pytest.raises(DataError) as caught:
        datasets._download(archive.url, EXPECTED, tmp_path / "shuttle.npz", 10)
    assert list(tmp_path.iterdir()) == []
    assert "\n" not in str(caught.value)
    assert archive.url in str(caught.value)


def test_an_archive_that_does_not_answer_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"can't be fetched from http://127\.0\.0\.1:1/.*SMLNB_DATA.*shuttle_like"):
        datasets._download("http://127.0.0.1:1/", EXPECTED, tmp_path / "x.npz", 5)


def test_only_http_is_fetched(tmp_path):
    with pytest.raises(DataError, match="no http address"):
        datasets._download("file:///etc", EXPECTED, tmp_path / "x.npz", 5)


def test_a_cache_that_cannot_be_written_does_not_stop_the_download(archive, tmp_path):
    (tmp_path / "file").write_text("in the way")
    X, _ = datasets._download(archive.url, EXPECTED, tmp_path / "file" / "shuttle.npz", 10)
    assert len(X) == len(kept()[0])


@pytest.mark.parametrize("compressed", [True, False])
def test_a_folder_may_hold_the_uci_files(tmp_path, compressed):
    (tmp_path / "shuttle.tst").write_bytes(text(TEST))
    if compressed:
        (tmp_path / "shuttle.trn.Z").write_bytes(ncompress.compress(text(TRAIN)))
    else:
        (tmp_path / "shuttle.trn").write_bytes(text(TRAIN))
    X, _ = datasets._from_folder(tmp_path, EXPECTED)
    np.testing.assert_array_equal(X, kept()[0])


def test_a_folder_without_the_data_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SMLNB_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"holds no shuttle\.npz") as caught:
        datasets.shuttle()
    assert str(tmp_path) in str(caught.value)


def test_other_rows_in_the_folder_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SMLNB_DATA", str(tmp_path))
    np.savez(tmp_path / "shuttle.npz", X=kept()[0], y=kept()[1])
    with pytest.raises(DataError, match="not the Statlog"):
        datasets.shuttle()


def test_an_archive_of_other_names_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SMLNB_DATA", str(tmp_path))
    np.savez(tmp_path / "shuttle.npz", Z=kept()[0])
    with pytest.raises(DataError, match="can't be read"):
        datasets.shuttle()


@pytest.mark.data
def test_the_real_set_has_49097_rows_of_which_3511_are_anomalies(data_dir, monkeypatch):
    monkeypatch.setenv("SMLNB_DATA", str(data_dir))
    frame = datasets.shuttle()
    assert (len(frame), int(frame["class"].sum())) == (49097, 3511)
    assert frame.iloc[0].tolist() == [50, 21, 77, 0, 28, 0, 27, 48, 22, 1]


def test_the_generator_gives_integers_of_the_same_shape_and_rarity():
    frame = datasets.shuttle_like()
    assert frame.shape == (49097, 10)
    assert set(map(str, frame.dtypes)) == {"int64"}
    assert set(frame["class"].unique()) == {0, 1}
    assert 0.066 < frame["class"].mean() < 0.077
    assert frame["s2"].abs().max() > 100 * frame["s2"].abs().quantile(0.9)


def test_another_seed_gives_other_rows():
    assert not datasets.shuttle_like(100, 1).equals(datasets.shuttle_like(100, 2))


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_any_number_of_rows_can_be_had(rows):
    assert datasets.shuttle_like(rows).shape == (rows, 10)


def test_a_negative_number_of_rows_is_refused():
    with pytest.raises(DataError, match="rows=-1"):
        datasets.shuttle_like(-1)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_anomalies_of_the_generator_are_found_by_the_histogram_model_as_clearly_as_the_real_ones(seed):
    frame = datasets.shuttle_like(20_000, seed)
    project = Project("like", types=datasets.TYPES)
    project.learn(frame)
    found = ranking(project.build("hba").score_samples(frame), frame["class"])
    assert found.roc_auc > 0.985
    assert found.average_precision > 0.90
