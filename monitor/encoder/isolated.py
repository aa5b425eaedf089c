"""Keeps the encoder's process alive: starts it, asks it, and replaces it when it crashes or hangs."""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Self, cast

import numpy as np
from numpy.typing import NDArray

from gend.errors import GendError
from gend.model import Identity, check_crops
from gend.resample import Interpolation
from monitor.backoff import Backoff
from monitor.encoder.plan import Description, EncoderPlan
from monitor.encoder.process import (
    Alive,
    FromEncoder,
    Loaded,
    Refused,
    Unable,
    encode,
)
from monitor.encoder.session import Asked, BrokenError, Session
from monitor.encoder.slab import give_slab
from monitor.errors import MonitorError
from monitor.messages import Pixels
from monitor.processes import Life, not_begun, supervise, usual_backoff
from monitor.processes.child import Logged
from monitor.redact import one_line
from monitor.usage import Usage

_log = logging.getLogger("monitor.scoring")

_SILENT_S = 60.0
"""It sends a sign of life each second, but for moments: while torch is read from a slow disk nothing else runs."""
_AWAIT_S = 1.0
"""How long a batch waits for a process that is being replaced; then it is lost, and the next one waits."""
_REASON_S = 3.0
"""For the end of a process to be understood."""
_CLOSED_S = 1.0


class EncoderLostError(MonitorError):
    """The encoder's process has crashed, was killed or cannot be replaced yet."""


class BegunBatch:
    """A batch that the encoder's process has.

    Args:
        session: with that process.
        asked: the batch.
        lost: what to raise where nothing comes of it.
    """

    def __init__(
        self, session: Session, asked: Asked, lost: Callable[[Session, BrokenError], EncoderLostError]
    ) -> None:
        self._session = session
        self._asked = asked
        self._lost = lost

    def logits(self) -> NDArray[np.float32]:
        """Waits for the answer; raises as `IsolatedEncoder.logits`."""
        try:
            return cast("NDArray[np.float32]", self._session.answer_to(self._asked))
        except BrokenError as error:
            raise self._lost(self._session, error) from None


class IsolatedEncoder:
    """An encoder in a process of its own; the same to its users as `gend.model.Detector`, of which it has what we use.

    A process that ends uncalled for or falls silent is replaced by one with the same weights and fine-tunes, on the
    same engine. The batches it had, two at the most, are lost, with an error that says why. Its files must be what they
    were: where they are not, crops would be judged by another encoder than alerts say, and so are judged by none.

    May be asked from any thread, and answers in the order in which it is asked. Make it by `load`.
    """

    def __init__(self, plan: EncoderPlan, max_batch: int, backoff: Backoff) -> None:
        self._plan = plan
        self._max_batch = max_batch
        self._backoff = backoff
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="supervise-encoder", daemon=True)
        self._setting = threading.Lock()  # held by who sets adapters
        self._changed = threading.Condition()  # guards all below
        self._life: Life | None = None
        self._session: Session | None = None
        self._description: Description | None = None
        self._adapters: Mapping[str, str] = {}
        self._refused: Refused | None = None
        self._reason: str | None = None
        self._restarts = 0
        self._usage = Usage(0.0, 0)  # of the process that lives, as it has told
        self._former_cpu_s = 0.0
        self._logged: str | None = None  # why the last process ended, once the log has it

    @classmethod
    def load(cls, plan: EncoderPlan, max_batch: int, *, backoff: Backoff | None = None) -> Self:
        """Starts the process and waits until it has loaded.

        Args:
            plan: what to load there.
            max_batch: most crops that are handed over at once.
            backoff: how long to wait before the process is replaced, where that is not as usual.

        Raises:
            GendError: as `Detector.load`.
            EncoderLostError: the process cannot be had, or ends over it.
        """
        encoder = cls(plan, max_batch, backoff or usual_backoff())
        atexit.register(encoder.close)
        encoder._thread.start()
        with encoder._changed:
            encoder._changed.wait_for(lambda: encoder._session is not None or encoder._reason is not None)
            if encoder._session is not None:
                return encoder
        encoder.close()
        error = encoder._refused and encoder._refused.error()
        raise error if isinstance(error, GendError) else EncoderLostError(f"encoder: {encoder._reason}")

    # --- what a detector has ---

    @property
    def identity(self) -> Identity:
        """Which detector this is."""
        return self._known.identity

    @property
    def input_px(self) -> int:
        """Side of the square crops that `logits` takes, pixels."""
        return self._known.input_px

    @property
    def interpolation(self) -> Interpolation:
        """How crops are resized to it."""
        return self._known.interpolation

    @property
    def notices(self) -> tuple[str, ...]:
        """What must be said wherever its answers are shown."""
        return self._known.notices

    @property
    def adapters(self) -> Mapping[str, str]:
        """SHA-256 of the file of each fine-tune by its name."""
        return self._adapters

    def logits(self, crops: Pixels, adapters: Sequence[str | None] | None = None) -> NDArray[np.float32]:
        """As `Detector.logits`; raises `EncoderLostError` besides, within seconds of the end of the process."""
        check_crops(crops, adapters, self.input_px)
        names: list[str | None] = [None] * len(crops) if adapters is None else list(adapters)
        parts = [slice(at, at + self._max_batch) for at in range(0, len(crops), self._max_batch)]
        begun = [self.begin(list(crops[part]), names[part]) for part in parts]
        return np.concatenate([batch.logits() for batch in begun])

    def begin(self, crops: Sequence[Pixels], adapters: Sequence[str | None]) -> BegunBatch:
        """Hands a batch over, and does not wait for its answer unless two batches are under way already.

        Args:
            crops: `max_batch` of them at the most, uint8 (S, S, 3).
            adapters: the name of a fine-tune for each.

        Raises:
            PictureError, EncoderLostError: as `logits`.
            ValueError: they are too many, or not as many as names.
        """
        if len(crops) > self._max_batch or len(adapters) != len(crops):
            raise ValueError(
                f"{len(crops)} crops and {len(adapters)} names of adapters in a batch of {self._max_batch}"
            )
        for crop in crops:
            check_crops(crop[None], None, self.input_px)
        session = self._ready()
        try:
            asked = session.begin(crops, list(adapters))
        except BrokenError as error:
            raise self._lost(session, error) from None
        return BegunBatch(session, asked, self._lost)

    def set_adapters(self, adapters: Mapping[str, str]) -> None:
        """As `Detector.set_adapters`, between two batches; raises `EncoderLostError` besides."""
        with self._setting:
            session = self._ready()
            try:
                loaded = session.set_adapters(adapters)
            except BrokenError as error:
                raise self._lost(session, error) from None
            with self._changed:
                self._adapters = loaded
                if self._plan.adapters is not None:
                    self._plan = self._plan.again(self.identity, dict(adapters))

    # --- what a process has ---

    @property
    def failure(self) -> str | None:
        """Why there is no process that could be asked; None while there is."""
        with self._changed:
            return f"encoder: {self._reason}" if self._session is None else None

    @property
    def restarts(self) -> int:
        """Times that the process was replaced."""
        return self._restarts

    @property
    def pid(self) -> int | None:
        """The process that can be asked now."""
        with self._changed:
            return self._life.pid if self._life is not None and self._session is not None else None

    @property
    def usage(self) -> Usage:
        """What it takes of the machine, as of its last sign of life; processor time goes on over restarts."""
        with self._changed:
            return replace(self._usage, cpu_s=self._former_cpu_s + self._usage.cpu_s)

    def give_up(self) -> None:
        """The batch in progress is overdue: its process is ended, and so the wait. Without one, nothing is done."""
        with self._changed:
            if self._session is not None and self._session.asked and self._life is not None:
                self._life.kill("a batch was overdue, and its process was killed")

    def close(self) -> None:
        """Ends the process, for good; returns within a second or so."""
        atexit.unregister(self.close)
        with self._changed:
            self._stopping.set()
            if self._life is not None:
                self._life.kill("it is not needed any more")
        if self._thread.is_alive():
            self._thread.join(_CLOSED_S)

    @property
    def _known(self) -> Description:
        assert self._description is not None  # `load` has waited for it
        return self._description

    def _ready(self) -> Session:
        with self._changed:
            self._changed.wait_for(lambda: self._session is not None or self._stopping.is_set(), _AWAIT_S)
            if self._session is None:
                raise EncoderLostError(f"encoder: {self._reason}")
            return self._session

    def _lost(self, session: Session, broken: BrokenError) -> EncoderLostError:
        """Why nothing comes of what a session was asked; its process has ended, or is ended."""
        with self._changed:
            ending = isinstance(broken.__cause__, OSError | EOFError)
            if not ending:
                self._end_session(session, f"its process sent what cannot be read ({type(broken.__cause__).__name__})")
            if not self._changed.wait_for(lambda: session.end is not None, _REASON_S):
                self._end_session(session, "its process does not answer")
                self._changed.wait_for(lambda: session.end is not None, _REASON_S)
            return EncoderLostError(f"encoder: {session.end or 'its process does not answer'}")

    def _end_session(self, session: Session, reason: str) -> None:
        if self._session is session and self._life is not None:
            self._life.kill(reason)

    # --- the thread that supervises ---

    def _supervise(self) -> None:
        supervise(self._live, self._ended, self._stopping, self._backoff, _log)

    def _ended(self, reason: str, well: bool) -> bool:
        """A process has ended; returns whether another is wanted: not where none has ever loaded."""
        goes_on = self._description is not None and not self._stopping.is_set()
        with self._changed:
            told = f"{reason}; another is started" if goes_on else reason
            if self._session is not None:
                self._session.end = told
            self._session, self._reason = None, told
            self._former_cpu_s += self._usage.cpu_s
            self._usage = Usage(0.0, 0)
            self._restarts += goes_on
            self._changed.notify_all()
        if goes_on and reason != self._logged:
            _log.warning("encoder: %s; another is started", reason)
        self._logged = None if well else reason
        return goes_on

    def _live(self) -> str:
        """Starts a process and stays with it to its end; returns why that came."""
        level = logging.getLogger("monitor").getEffectiveLevel()
        try:
            # Ours is never closed under who may be reading from it: it goes with the session.
            ours, theirs = multiprocessing.Pipe()
            with theirs:
                arguments = (theirs, self._plan, self._max_batch, level)
                life = Life.begin(encode, arguments, name="gend-encoder", silent_s=_SILENT_S)
        except (OSError, EOFError) as error:
            return not_begun(error)

        def turn(lives: bool) -> None:
            with self._changed:
                self._life = life if lives else None
                if lives and self._stopping.is_set():
                    life.kill("it is not needed any more")

        life.accompany(lambda message: self._take(message, life, ours), turn, name="receive-encoder")
        return life.end

    # --- the thread that receives ---

    def _take(self, message: FromEncoder | Logged, life: Life, batches: Connection) -> None:
        match message:
            case Alive():
                with self._changed:
                    self._usage = message.usage
            case Logged():
                message.write()
            case Unable():
                self._refused = message.why
                life.last_words = one_line(message.why.error())
            case Loaded():
                self._take_loaded(message, life, batches)

    def _take_loaded(self, loaded: Loaded, life: Life, batches: Connection) -> None:
        known = self._description
        if known is not None and (loaded.description, loaded.adapters) != (known, self._adapters):
            life.kill("the files of weights or fine-tunes are not what they were; restart the service to take them")
            return
        px = loaded.description.input_px
        slab = give_slab(batches, (self._max_batch, px, px, 3))
        with self._changed:
            self._description, self._adapters = loaded.description, loaded.adapters
            self._plan = self._plan.again(loaded.description.identity, self._plan.adapters)
            self._session, self._reason = Session(batches, slab), None
            self._changed.notify_all()
        if known is not None:
            _log.info("encoder: a new process has loaded it")
