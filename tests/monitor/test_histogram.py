from __future__ import annotations

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from monitor.histogram import Histogram
from monitor.metrics import HistogramSample, sample_registry


def test_snapshot_counts_a_value_in_the_first_bucket_that_holds_it() -> None:
    histogram = Histogram((0.1, 1.0))
    histogram.add([0.05, 0.1, 0.5, 7.0])
    snapshot = histogram.snapshot()
    assert snapshot.counts == (2, 1, 1)
    assert snapshot.cumulative() == [("0.1", 2), ("1.0", 3), ("+Inf", 4)]


def test_add_takes_a_clock_that_was_set_back_for_no_time_at_all() -> None:
    histogram = Histogram((1.0,))
    histogram.add([-5.0, 2.0])
    assert (histogram.snapshot().counts, histogram.snapshot().total) == ((1, 1), 2.0)


def test_sample_registry_exports_histograms_as_prometheus_reads_them() -> None:
    lobby, gate = Histogram((0.1, 1.0)), Histogram((0.1, 1.0))
    lobby.add([0.05, 0.5, 3.0])
    samples = [
        HistogramSample("wait_seconds", "Waits.", each.snapshot(), (("stream", name),))
        for name, each in {"lobby": lobby, "gate": gate}.items()
    ]
    text = generate_latest(sample_registry(lambda: samples)).decode()
    (family,) = [each for each in text_string_to_metric_families(text) if each.name == "gend_wait_seconds"]
    found = {
        (sample.name.removeprefix("gend_wait_seconds"), sample.labels["stream"], sample.labels.get("le")): sample.value
        for sample in family.samples
    }
    assert family.type == "histogram"
    assert [found["_bucket", "lobby", le] for le in ("0.1", "1.0", "+Inf")] == [1, 2, 3]
    assert (found["_count", "lobby", None], found["_sum", "lobby", None]) == (3, 3.55)
    assert found["_count", "gate", None] == 0
