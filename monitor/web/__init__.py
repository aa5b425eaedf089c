"""What the service shows over HTTP, and who may ask: health, metrics, the login, the API, and publishing of calls."""

from monitor.health import Health
from monitor.web.app import create_app
from monitor.web.certificates import check_tls
from monitor.web.gate import Gate, opened_gate
from monitor.web.pages import OpenedPages
from monitor.web.server import WebServer

__all__ = ["Gate", "Health", "OpenedPages", "WebServer", "check_tls", "create_app", "opened_gate"]
