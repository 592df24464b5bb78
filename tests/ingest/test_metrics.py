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


def test_metrics_can_be_written_as_json():
    metrics = Metrics("running", rows=3, partitions={("t", 0): PartitionMetrics(position=3, high=10, rows=3)})
    plain = json.loads(json.dumps(metrics.to_dict()))
    assert plain["partitions"] == {"t[0]": {"position": 3, "high": 10, "rows": 3, "refused": 0, "lag": 7}}
    assert plain["rows"] == 3
