from __future__ import annotations

import json

from smlnb.ingest.metrics import Metrics, PartitionMetrics, Rate


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_the_rate_forgets_what_is_older_than_its_window():
    clock = Clock()
    rate = Rate(window=5, clock=clock)
    for clock.now in range(1, 11):
        rate.add(100)
    assert rate.per_second == 6 * 100 / 5
    clock.now = 100
    assert rate.per_second == 0


def test_the_rate_at_the_beginning_is_over_the_time_so_far():
    clock = Clock()
    rate = Rate(window=5, clock=clock)
    clock.now = 2.0
    rate.add(100)
    assert rate.per_second == 50


def some(**more):
    part = PartitionMetrics(position=3, high=10, rows=3, read=4, pending=1, bytes=21, **more)
    return Metrics("running", read=4, rows=3, pending=1, lag=7, bytes=21, partitions={("t", 0): part})


def test_a_lag_that_is_not_that_of_now_says_so():
    texts = {state: Metrics(state, lag=1_200).lag_text("_") for state in ("created", "running", "paused", "done")}
    seen = "1_200 when last seen"
    assert texts == {"created": "unknown", "running": "1_200", "paused": seen, "done": seen}
    assert "1,200 when last seen" in Metrics("stopped", lag=1_200)._repr_html_()


def test_metrics_can_be_written_as_json():
    plain = json.loads(json.dumps(some().to_dict()))
    assert plain["partitions"]["t[0]"]["position"] == 3
    assert plain["partitions"]["t[0]"]["lag"] == 7
    assert plain["rows"] == 3
    assert plain["last_error"] is None


def test_a_frame_has_a_row_per_partition():
    frame = some().frame()
    assert frame.index.names == ["topic", "partition"]
    assert frame.loc[("t", 0), ["read", "rows", "pending", "lag", "bytes"]].tolist() == [4, 3, 1, 7, 21]


def test_a_frame_of_no_partition_is_empty_and_has_its_columns():
    empty = Metrics("created").frame()
    assert len(empty) == 0
    assert list(empty.columns) == list(some().frame().columns)
    assert empty.index.names == ["topic", "partition"]


def test_a_notebook_shows_each_partition_and_takes_nothing_for_markup():
    shown = some(last_error="<b>offset 7</b>: no JSON")._repr_html_()
    assert "&lt;b&gt;offset 7&lt;/b&gt;" in shown
    assert "<b>offset" not in shown
    assert "<td>7</td>" in shown


def test_many_partitions_are_folded_away_in_a_notebook():
    parts = {("t", p): PartitionMetrics(p, p) for p in range(9)}
    assert "<summary>9 partitions</summary>" in Metrics("running", partitions=parts)._repr_html_()
    assert "None" not in Metrics("running", partitions=parts)._repr_html_()


def test_several_sources_are_shown_as_one():
    other = Metrics(
        "running", read=2, rows=2, rate=5.0, broker_error="gone", partitions={("u", 1): some().partitions["t", 0]}
    )
    both = Metrics.together("retrying", [some(), other])
    assert (both.state, both.read, both.rows, both.lag, both.rate) == ("retrying", 6, 5, 7, 5.0)
    assert both.broker_error == "gone"
    assert list(both.partitions) == [("t", 0), ("u", 1)]
