"""Which alerts are asked for: by the API, by the page that lists them, and by addresses that are passed on."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from monitor.messages import VerdictState
from monitor.store import EpisodeFilter
from monitor.web.moments import utc
from monitor.web.stream_name import StreamName


class AlertQuery(BaseModel):
    """Which episodes."""

    model_config = ConfigDict(extra="forbid")

    stream: list[StreamName] = Field(default=[], max_length=100, description="Of these streams; may be repeated.")
    since: AwareDatetime | None = Field(default=None, description="Raised at that moment or later.")
    until: AwareDatetime | None = Field(default=None, description="Raised before that moment.")
    state: Literal["open", "cleared"] | None = Field(default=None, description="Standing, or over.")
    reviewed: bool | None = Field(default=None, description="Whether anybody has said anything of it.")
    verdict: VerdictState | None = Field(default=None, description="What its latest message told.")

    def asked(self) -> EpisodeFilter:
        """The same for the store."""
        return EpisodeFilter(
            streams=frozenset(self.stream) or None,
            since=None if self.since is None else utc(self.since, "query.since"),
            until=None if self.until is None else utc(self.until, "query.until"),
            state=self.state,
            reviewed=self.reviewed,
            verdict=self.verdict,
        )
