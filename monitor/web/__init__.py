"""What the service shows over HTTP: health, metrics, and the API."""

from monitor.health import Health
from monitor.web.app import create_app
from monitor.web.server import WebServer

__all__ = ["Health", "WebServer", "create_app"]
