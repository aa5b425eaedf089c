"""Which alerts a page shows, as its address has it: the same query as the API's, so that both can be passed on."""

from __future__ import annotations

from urllib.parse import urlencode

from pydantic import Field, ValidationError
from starlette.datastructures import QueryParams

from monitor.actions import RefusedError
from monitor.web.alert_query import AlertQuery

_PATH = "/alerts"


class PageQuery(AlertQuery):
    """Which alerts, and from where on."""

    cursor: str | None = Field(default=None, pattern="^[0-9A-Za-z_-]{1,64}$")


def read_query(params: QueryParams) -> PageQuery:
    """Reads it; what is empty was not asked for.

    Raises:
        RefusedError: something in it cannot be meant.
    """
    given: dict[str, object] = {name: value for name, value in params.items() if value}
    if streams := [name for name in params.getlist("stream") if name]:
        given["stream"] = streams
    try:
        query = PageQuery.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise RefusedError(str(first["loc"][0]), f"{first['loc'][0]}: {first['msg']}") from error
    query.asked()  # moments beyond the years that there are
    return query


def address(query: AlertQuery, *, cursor: str | None = None, path: str = _PATH) -> str:
    """The address of these alerts: of a page from a place on, or of another path that takes the same query."""
    asked = query.model_dump(mode="json", exclude={"cursor"}, exclude_none=True)
    if isinstance(asked.get("reviewed"), bool):
        asked["reviewed"] = str(asked["reviewed"]).lower()
    if cursor is not None:
        asked["cursor"] = cursor
    said = urlencode([(name, value) for name, value in asked.items() if value != []], doseq=True)
    return f"{path}?{said}" if said else path
