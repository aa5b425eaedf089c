"""Imported by the fork server, and by nobody else: all that a worker needs, so that each is born with it.

A service manager's SIGTERM goes to every process. If the fork server obeyed, all workers would seem to have crashed,
while the service is about to end them in good form; the fork server itself ends with the service.
"""

import signal

import monitor.isolation.process  # noqa: F401

signal.signal(signal.SIGTERM, signal.SIG_IGN)
