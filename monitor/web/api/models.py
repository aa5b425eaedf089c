"""What alerts, verdicts and streams look like in JSON: the shapes of `payloads.py`, field by field."""

from __future__ import annotations

from typing import Annotated, Generic, Self, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from monitor import payloads
from monitor.live import Held
from monitor.messages import Alert, AlertType, Status, StreamState, VerdictState

T = TypeVar("T")

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-01-31T12:00:05.250Z"])]
Sha256 = Annotated[str, Field(examples=["8b1a9953c4611296a827abf8c47804d7e6c49c6b97ba1a7dd2d8e4ae23dc1a3b"])]


class Shape(BaseModel):
    """A part of an answer. What is not declared is not sent."""

    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)


class ModelShape(Shape):
    """Which encoder judged."""

    weights: str
    sha256: str
    adapter: str | None = Field(description="The fine-tune, where there is one.")
    engine: str
    precision: str


class AlertShape(Shape):
    """A message of an alert episode, exactly as subscribers of MQTT get it."""

    schema_: int = Field(alias="schema", description="1; fields may be added within it, none is renamed or removed.")
    id: str = Field(description="Of this message.")
    alert_id: str = Field(description="Of the episode.")
    type: AlertType
    reason: str
    stream: str
    track: str
    sequence: int | None = Field(description="Counts the messages of a stream, without holes.")
    at: Time
    captured_at: Time
    first_seen: Time
    verdict: VerdictState
    evidence: float | None
    threshold: float | None
    samples: int
    mean_probability: float | None
    false_alarms_target_per_stream_day: float | None
    false_alarms_promised_per_stream_day: float | None = Field(description="Null when uncalibrated.")
    calibrated: bool = Field(description="True only if no more is promised than is asked for.")
    model: ModelShape
    notices: list[str]
    snapshot_url: str | None
    snoozed_until: Time | None
    call_of: str | None = Field(description="The configured stream that `stream` is a call of; null: it is none.")

    @classmethod
    def of(cls, alert: Alert) -> Self:
        """The same message."""
        return cls.model_validate_json(payloads.alert(alert))


class VerdictShape(Shape):
    """What is held of one face now, exactly as subscribers of MQTT get it."""

    stream: str
    track: str
    at: Time
    state: VerdictState
    evidence: float | None
    threshold: float | None
    samples: int
    mean_probability: float | None
    reasons: list[str] = Field(description="Why it is not more certain, and what must be said with it.")
    ended: bool

    @classmethod
    def of(cls, held: Held) -> Self:
        """The same verdict."""
        return cls.model_validate_json(payloads.verdict(held.verdict, held.at))


class StatusShape(Shape):
    """The state of a stream, exactly as subscribers of MQTT get it."""

    state: StreamState
    since: Time
    degraded: list[str] = Field(description="Why less can be said than should be.")
    reason: str | None = Field(description="Why it is not live.")
    fps: float
    faces: int
    snoozed_until: Time | None

    @classmethod
    def of(cls, status: Status) -> Self:
        """The same status."""
        return cls.model_validate_json(payloads.status(status))


class PageShape(Shape, Generic[T]):
    """A part of a list, newest first; the header `Link` leads to the next."""

    items: list[T]
    next: str | None = Field(description="`cursor` of the next page; null where there is none.")


def time(moment: AwareDatetime) -> str:
    """As everywhere: UTC with milliseconds."""
    return payloads.rfc3339(moment)
