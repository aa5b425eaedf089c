"""Whether HTTPS can be served with the certificate that is configured; nothing is started to find out."""

from __future__ import annotations

import ssl

from monitor.errors import ConfigError
from monitor.web_config import WebConfig


def check_tls(config: WebConfig) -> None:
    """Reads `web.tls_cert` and `web.tls_key`, where they are set.

    Raises:
        ConfigError: a file is missing or no PEM file of its kind, or the two do not belong together.
    """
    if config.tls_cert is None or config.tls_key is None:
        return
    for field, path in (("tls_cert", config.tls_cert), ("tls_key", config.tls_key)):
        try:
            with path.open("rb"):
                pass
        except FileNotFoundError as error:
            raise ConfigError(f"web.{field}: {path}: no such file") from error
        except OSError as error:
            raise ConfigError(f"web.{field}: {path}: {(error.strerror or 'cannot be read').lower()}") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(config.tls_cert)
    except ssl.SSLError as error:
        raise ConfigError(f"web.tls_cert: {config.tls_cert}: no PEM certificate") from error
    try:
        # Without a password given here, OpenSSL would ask the terminal for that of an encrypted key.
        context.load_cert_chain(config.tls_cert, config.tls_key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(f"web.tls_key: {config.tls_key}: not the key of web.tls_cert") from error
        raise ConfigError(f"web.tls_key: {config.tls_key}: no PEM key without a password") from error
