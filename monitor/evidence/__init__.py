"""What is kept of an alert for people to look at: packages of crops, timeline and clip, signed, and for a time."""

from monitor.evidence.keeper import EvidenceKeeper
from monitor.evidence.provenance import Provenances, provenances_of
from monitor.evidence.start import new_writer
from monitor.evidence.verify import Verified, verify
from monitor.evidence.writer import SHED_CAUSES, Writer, WriterStatistics

__all__ = [
    "SHED_CAUSES",
    "EvidenceKeeper",
    "Provenances",
    "Verified",
    "Writer",
    "WriterStatistics",
    "new_writer",
    "provenances_of",
    "verify",
]
