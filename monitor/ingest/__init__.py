"""A source per kind of input, and the reader that keeps it alive."""

from monitor.ingest.address import check_protocols
from monitor.ingest.clip import write_clip
from monitor.ingest.depth import Needs
from monitor.ingest.file import FileInfo, inspect_file, read_file
from monitor.ingest.frame import AvFrame
from monitor.ingest.probe import StreamProbe, probe
from monitor.ingest.reader import Reader
from monitor.ingest.ring import PacketRing
from monitor.ingest.sources import StreamReader, TakesPublishers, new_reader
from monitor.ingest.status import ReaderStatistics, SourceStatus
from monitor.ingest.way import Way

__all__ = [
    "AvFrame",
    "FileInfo",
    "Needs",
    "PacketRing",
    "Reader",
    "ReaderStatistics",
    "SourceStatus",
    "StreamProbe",
    "StreamReader",
    "TakesPublishers",
    "Way",
    "check_protocols",
    "inspect_file",
    "new_reader",
    "probe",
    "read_file",
    "write_clip",
]
