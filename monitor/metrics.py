"""Prometheus metrics, read from the steps' own statistics at the moment they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


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


class _SampleCollector(Collector):
    def __init__(self, reads: tuple[Callable[[], Iterable[Sample]], ...]) -> None:
        self._reads = reads

    def collect(self) -> Iterator[Metric]:
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for sample in (sample for read in self._reads for sample in read()):
            family = families.get(sample.name)
            if family is None:
                make = CounterMetricFamily if sample.kind == "counter" else GaugeMetricFamily
                labels = [name for name, _ in sample.labels]
                family = families[sample.name] = make(f"gend_{sample.name}", sample.about, labels=labels)
            family.add_metric([value for _, value in sample.labels], sample.value)
        yield from families.values()


def sample_registry(*reads: Callable[[], Iterable[Sample]]) -> CollectorRegistry:
    """A registry whose every scrape calls each of `reads`; its own, so that two services may live in one process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_SampleCollector(reads))
    return registry
