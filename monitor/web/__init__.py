"""What the service shows over HTTP; in this version health and metrics."""

from monitor.web.app import Health, create_app
from monitor.web.server import WebServer

__all__ = ["Health", "WebServer", "create_app"]
