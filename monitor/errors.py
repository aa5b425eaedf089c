"""Errors of the service. Each message is one line that names the field, file or stream at fault."""


class MonitorError(Exception):
    """Base of everything `monitor` raises on purpose; ends a command with exit code 1."""


class ConfigError(MonitorError):
    """The configuration or a command's arguments are wrong; ends a command with exit code 2."""


class SourceError(MonitorError):
    """A stream cannot be opened or has ended. The message never carries credentials."""


class EvidenceError(MonitorError):
    """The folder or the key of evidence packages cannot be used, or a package cannot be written."""


class StoreError(MonitorError):
    """The database cannot be opened, migrated or written."""
