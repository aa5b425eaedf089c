"""Where alerts and status are published: the section `mqtt` of the configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from monitor.config_section import Section


class MqttConfig(Section):
    """Where alerts and status are published."""

    url: str = Field(
        default="mqtt://127.0.0.1:1883",
        description="`mqtt://HOST:PORT`, `mqtts://HOST:PORT`, or `embedded:` for a broker inside the process.",
    )
    prefix: str = Field(default="gend", pattern=r"^[^/+#\s][^+#\s]*$", description="First level of every topic.")
    username: str | None = Field(default=None, description="User at the broker.")
    password: SecretStr | None = Field(default=None, description="Password at the broker; write it as ${VARIABLE}.")
    ca: Path | None = Field(default=None, description="PEM file of the authority that signed the broker's certificate.")
    cert: Path | None = Field(default=None, description="PEM file of our client certificate.")
    key: Path | None = Field(default=None, description="PEM file of the client certificate's key.")
    client_id: str | None = Field(
        default=None, description="Client id; by default one derived from the host and prefix."
    )
    keepalive_s: int = Field(default=20, ge=2, le=600, description="Seconds after which a silent broker is tested.")
    homeassistant_prefix: str = Field(
        default="homeassistant",
        pattern=r"^[^/+#\s][^+#\s]*$",
        description="Prefix of Home Assistant's discovery topics.",
    )

    @field_validator("url")
    @classmethod
    def _broker(cls, url: str) -> str:
        if url == "embedded:":
            return url
        parts = urlsplit(url)
        if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
            raise ValueError("expected an address such as mqtt://broker.example:1883, mqtts://… or embedded:")
        if parts.username or parts.password:
            raise ValueError("put credentials into mqtt.username and mqtt.password, not into the URL")
        _ = parts.port  # raises ValueError where it is not a number
        try:
            parts.hostname.encode("idna")
        except UnicodeError as error:
            raise ValueError(f"{parts.hostname} is no host name") from error
        return url

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key go together")
        if self.password is not None and self.username is None:
            raise ValueError("password without username")
        return self
