"""`/api/v1`: what programs may ask of the service, as its OpenAPI document says."""

from monitor.web.api.app import PREFIX, create_api
from monitor.web.api.problems import handle_strays

__all__ = ["PREFIX", "create_api", "handle_strays"]
