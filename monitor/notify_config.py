"""Section `notify` of the configuration: whom to tell of which alerts, and when. Part of `config.py`'s model."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from monitor.config_section import Section
from monitor.messages import Alert, AlertType, VerdictState
from monitor.redact import url_secrets

_NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
_DAY_S = 86_400
_MIN_SECRET = 16
_MIN_SECRET_PART = 8
"""Shorter parts of an address are words such as `mail`, which must stay readable in logs."""


_TIME_OF_DAY = r"^([01]\d|2[0-3]):[0-5]\d$"


def _time_of_day(value: object) -> object:
    """YAML 1.1 reads 22:00 without quotes as the number 1320, which must not become 00:22."""
    if not isinstance(value, str) or not re.match(_TIME_OF_DAY, value):
        raise ValueError('expected a time of day in quotes, as in "07:00"')
    return value


TimeOfDay = Annotated[str, BeforeValidator(_time_of_day), Field(json_schema_extra={"pattern": _TIME_OF_DAY})]


class QuietHours(Section):
    """A part of each day in which nothing is sent; what is decided in it goes out as one digest afterwards."""

    begin: TimeOfDay = Field(alias="from", description='When it begins, as in "22:00".')
    end: TimeOfDay = Field(alias="to", description='When it ends, as in "07:00"; may be on the next day.')
    timezone: str | None = Field(
        default=None, description="IANA name such as `Europe/Berlin`; the machine's own zone where it is left out."
    )

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (KeyError, ValueError, OSError) as error:  # what ZoneInfo raises depends on the name
                raise ValueError(f"{name} is no IANA time zone") from error
        return name

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.begin == self.end:
            raise ValueError("from and to are the same: nothing would ever be sent, or always")
        return self

    def covers(self, moment: time) -> bool:
        """Whether a time of day, in `timezone`, lies in the quiet hours."""
        begin, end = time.fromisoformat(self.begin), time.fromisoformat(self.end)
        return begin <= moment < end if begin < end else moment >= begin or moment < end


class TargetConfig(Section):
    """Somebody who is told of alerts besides MQTT: by what apprise can send, or by a signed webhook."""

    name: str = Field(pattern=_NAME, description="Name in logs and metrics, and of what waits for it in the outbox.")
    url: SecretStr | None = Field(
        default=None, description="apprise's URL of whom to tell, such as `mailtos://…` or `tgram://…`."
    )
    webhook: SecretStr | None = Field(
        default=None, description="`https://…` or `http://…`, to which alerts are posted as JSON, signed with `secret`."
    )
    secret: SecretStr | None = Field(
        default=None, description="Key of the webhook's HMAC-SHA256 signature, 16 characters or more."
    )
    streams: list[str] = Field(default=[], description="Names of the streams it is told of; empty: all.")
    types: list[AlertType] = Field(
        default=["raised"], min_length=1, description="Messages of an episode that it is told."
    )
    verdicts: list[VerdictState] = Field(
        default=[], description="Verdicts with which a message must come; empty: any. `raised` comes with `fake`."
    )
    quiet_hours: QuietHours | None = Field(default=None, description="When nothing is sent.")
    cool_down_s: float = Field(
        default=0,
        ge=0,
        le=_DAY_S,
        description="Seconds after a message about a stream in which further alerts of it are gathered.",
    )
    digest_s: float = Field(
        default=0, ge=0, le=_DAY_S, description="Seconds for which alerts are gathered before they are sent as one."
    )
    give_up_h: float = Field(
        default=48,
        ge=1,
        le=720,
        description="Hours after which an alert that a webhook keeps refusing is given up: logged and counted.",
    )

    @property
    def sink(self) -> str:
        """The outbox's name of the target."""
        return f"notify:{self.name}"

    @property
    def gathers(self) -> bool:
        """Whether several alerts may go out as one message."""
        return self.quiet_hours is not None or self.cool_down_s > 0 or self.digest_s > 0

    def wants(self, alert: Alert) -> bool:
        """Whether the target is told of a message."""
        return (
            (not self.streams or (alert.call_of or alert.stream) in self.streams)
            and alert.type in self.types
            and (not self.verdicts or alert.verdict in self.verdicts)
        )

    def secrets(self) -> list[str]:
        """What must not be seen of it. apprise hides tokens anywhere in its URLs, so every longer part counts."""
        found = [self.secret.get_secret_value()] if self.secret is not None else []
        if self.webhook is not None:
            address = self.webhook.get_secret_value()
            found += [*url_secrets(address), address, *_parts(urlsplit(address).path), *_parts(urlsplit(address).query)]
        if self.url is not None:
            address = self.url.get_secret_value()
            found += [*url_secrets(address), address, *_parts(address.partition("://")[2])]
        return found

    @field_validator("webhook")
    @classmethod
    def _http(cls, webhook: SecretStr | None) -> SecretStr | None:
        if webhook is not None:
            parts = urlsplit(webhook.get_secret_value())
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError("expected an address such as https://alerts.example/gend")
            _ = parts.port  # raises ValueError where it is not a number
        return webhook

    @field_validator("secret")
    @classmethod
    def _long(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value()) < _MIN_SECRET:
            raise ValueError(f"too easily guessed; use {_MIN_SECRET} characters or more")
        return secret

    @field_validator("url")
    @classmethod
    def _url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not re.match(r"[a-z][a-z0-9+.-]*://", url.get_secret_value(), re.IGNORECASE):
            raise ValueError("expected one of apprise's URLs, such as mailtos://… or tgram://…")
        return url

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.url is None) == (self.webhook is None):
            raise ValueError("give either url (of apprise) or webhook")
        if (self.webhook is None) != (self.secret is None):
            raise ValueError("webhook and secret go together")
        if self.verdicts and "fake" not in self.verdicts and "cleared" not in self.types:
            raise ValueError("verdicts: raised and updated messages always say fake; nothing would ever be sent")
        return self


def check_targets(targets: list[TargetConfig], streams: list[str]) -> None:
    """Refuses names that are used twice, and streams that nobody watches. Raises ValueError."""
    names = [target.name for target in targets]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"notify: the name {', '.join(twice)} is used more than once")
    for target in targets:
        unknown = [stream for stream in target.streams if stream not in streams]
        if unknown:
            raise ValueError(f"notify.{target.name}.streams: {', '.join(unknown)} is not among streams")


def _parts(address: str) -> list[str]:
    return [part for part in re.split(r"[/@:?&=,]", address) if len(part) >= _MIN_SECRET_PART and part != "localhost"]
