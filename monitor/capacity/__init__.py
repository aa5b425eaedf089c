"""How many streams a machine carries, by what some seconds of the configured ones cost on it, and what limits it."""

from monitor.capacity.answer import USED, Answer, Limit, capacity_of
from monitor.capacity.costs import EncoderCost, Machine, StreamCost
from monitor.capacity.machine import this_machine
from monitor.capacity.report import CapacityReport, StreamMeasurement, measure_capacity

__all__ = [
    "USED",
    "Answer",
    "CapacityReport",
    "EncoderCost",
    "Limit",
    "Machine",
    "StreamCost",
    "StreamMeasurement",
    "capacity_of",
    "measure_capacity",
    "this_machine",
]
