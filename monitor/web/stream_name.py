"""The name of a stream, as it comes in requests."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from monitor.stream_config import STREAM_NAME

StreamName = Annotated[str, Field(pattern=STREAM_NAME, examples=["lobby"])]
