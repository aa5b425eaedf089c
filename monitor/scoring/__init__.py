"""Scoring: which crops are worth the encoder's time, and what it says of them."""

from monitor.scoring.batcher import Batcher, BatcherStatistics
from monitor.scoring.worker import Encoder, Worker, WorkerStatistics, score

__all__ = ["Batcher", "BatcherStatistics", "Encoder", "Worker", "WorkerStatistics", "score"]
