"""Scoring: which crops are worth the encoder's time, and what it says of them."""

from monitor.scoring.batcher import Batcher, BatcherStatistics
from monitor.scoring.worker import Encoder, Worker, WorkerStatistics, crops_at_once, score

__all__ = ["Batcher", "BatcherStatistics", "Encoder", "Worker", "WorkerStatistics", "crops_at_once", "score"]
