"""`/api/v1`: what programs may ask of the service, as its OpenAPI document says."""

from monitor.web.api.app import create_api

__all__ = ["create_api"]
