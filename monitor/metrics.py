"""Prometheus metrics, read from the steps' own statistics at the moment they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.histogram import Distribution


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure now.

    Attributes:
        name: without the `gend_` prefix; counters without `_total`.
        about: what it counts or measures, for people.
        kind: `counter` only grows.
        value: now.
        labels: name and value pairs; the same names for every sample of one metric.
    """

    name: str
    about: str
    kind: Literal["counter", "gauge"]
    value: float
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class HistogramSample:
    """How one figure is distributed since the start.

    Attributes:
        name: as a `Sample`'s.
        about: what it measures, for people.
        distribution: now.
        labels: as a `Sample`'s.
    """

    name: str
    about: str
    distribution: Distribution
    labels: tuple[tuple[str, str], ...] = ()


AnySample = Sample | HistogramSample
_Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


class _SampleCollector(Collector):
    def __init__(self, reads: tuple[Callable[[], Iterable[AnySample]], ...]) -> None:
        self._reads = reads

    def collect(self) -> Iterator[Metric]:
        families: dict[str, _Family] = {}
        for sample in (sample for read in self._reads for sample in read()):
            family = families.get(sample.name)
            if family is None:
                family = families[sample.name] = _family(sample)
            values = [value for _, value in sample.labels]
            if isinstance(family, HistogramMetricFamily):
                assert isinstance(sample, HistogramSample)
                family.add_metric(values, sample.distribution.cumulative(), sample.distribution.total)
            else:
                assert isinstance(sample, Sample)
                family.add_metric(values, sample.value)
        yield from families.values()


def _family(sample: AnySample) -> _Family:
    name, labels = f"gend_{sample.name}", [name for name, _ in sample.labels]
    if isinstance(sample, HistogramSample):
        return HistogramMetricFamily(name, sample.about, labels=labels)
    if sample.kind == "counter":
        return CounterMetricFamily(name, sample.about, labels=labels)
    return GaugeMetricFamily(name, sample.about, labels=labels)


def sample_registry(*reads: Callable[[], Iterable[AnySample]]) -> CollectorRegistry:
    """A registry whose every scrape calls each of `reads`; its own, so that two services may live in one process.

    What prometheus-client itself knows of this process (`process_cpu_seconds_total`, `process_resident_memory_bytes`,
    `process_open_fds`, …) is in it as well, where there is a /proc to read it from.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_SampleCollector(reads))
    ProcessCollector(registry=registry)
    return registry
