"""Scoring: which crops are worth the encoder's time, and what it says of them."""

from monitor.scoring.asking import Encoder, score
from monitor.scoring.batcher import Batcher, BatcherStatistics
from monitor.scoring.progress import WorkerStatistics
from monitor.scoring.worker import Worker, crops_at_once

__all__ = ["Batcher", "BatcherStatistics", "Encoder", "Worker", "WorkerStatistics", "crops_at_once", "score"]
