"""A stream's worker in a process of its own, which may crash, hang or be killed and is replaced."""

from monitor.isolation.supervisor import IsolatedWorker

__all__ = ["IsolatedWorker"]
