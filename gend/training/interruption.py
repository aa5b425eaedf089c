"""Ctrl-C ends a training between two steps, never in the middle of one.

Anywhere else it would break whatever was under way: a batch on its way from a worker, a checkpoint half written.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import lightning.pytorch as L  # noqa: N812  (Lightning's own custom)
from lightning.pytorch.callbacks import Callback

_TOLD = b"interrupted; ends after this step (Ctrl-C again: at once)\n"


class BetweenSteps(Callback):
    """Waits with SIGINT for the end of the step, of training or validation; a second one is not waited with."""

    def __init__(self) -> None:
        self._asked = False
        self._before: Callable[[int, FrameType | None], Any] | int | None = None

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Takes SIGINT over, unless it is ignored, as in what a script starts in the background."""
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            self._before = signal.signal(signal.SIGINT, self._ask)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *step: Any) -> None:
        """Ends the training if that was asked for.

        Raises:
            KeyboardInterrupt: it was.
        """
        self._end_if_asked()

    def on_validation_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *step: Any) -> None:
        """Ends the training if that was asked for.

        Raises:
            KeyboardInterrupt: it was.
        """
        self._end_if_asked()

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Gives SIGINT back."""
        self._give_back()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Gives SIGINT back."""
        self._give_back()

    def _ask(self, signum: int, frame: FrameType | None) -> None:
        self._asked = True
        self._give_back()
        # Not through `sys.stderr`: the signal may have come in the middle of a line to it.
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _TOLD)

    def _end_if_asked(self) -> None:
        if self._asked:
            raise KeyboardInterrupt

    def _give_back(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None
