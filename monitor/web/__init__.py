"""What the service shows over HTTP; health, metrics and the login, and who may ask."""

from monitor.web.app import Health, create_app
from monitor.web.certificates import check_tls
from monitor.web.gate import Gate, opened_gate
from monitor.web.server import WebServer

__all__ = ["Gate", "Health", "WebServer", "check_tls", "create_app", "opened_gate"]
