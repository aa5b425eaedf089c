"""Where a stream is to be found at this moment; of an added one only where it may lead."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from monitor.added_stream import bound_of
from monitor.errors import SourceError
from monitor.ingest.address import Address, RefusedError
from monitor.reach import OutOfReachError, Resolve, UnknownHostError, addresses_of, checked_addresses
from monitor.reach_config import ReachConfig
from monitor.stream_config import StreamConfig


def addresses_within(host: str, within: ReachConfig, resolve: Resolve) -> list[str]:
    """All addresses of a host to which an added stream may lead. Blocks.

    Raises:
        RefusedError: it may not lead to one of them.
        SourceError: the host is not known now, which may soon be otherwise.
    """
    try:
        return checked_addresses(host, within, resolve)
    except OutOfReachError as error:
        raise RefusedError(f"cannot open: {error}") from None
    except UnknownHostError as error:
        raise SourceError(f"cannot open: {error}") from None


class Way:
    """What to open for a stream, asked anew before each connection.

    Args:
        config: the stream.
        resolve: looks hosts up, where it is bound.
    """

    def __init__(self, config: StreamConfig, resolve: Resolve = addresses_of) -> None:
        self._url = config.url.get_secret_value()
        self._within = bound_of(config)
        self._resolve = resolve

    def url(self) -> str:
        """The address to open; of a bound stream with the checked one in place of its host's name.

        So FFmpeg looks nothing up itself. Blocks as long as looking a name up does.

        Raises:
            RefusedError: a bound stream may not lead there now.
            SourceError: its host is not known now.
        """
        if self._within is None:
            return self._url
        # Percent-encoded as FFmpeg gets it, so that both of us find the host at the same place.
        parts = urlsplit(Address(self._url).recipe("tcp").url)
        if parts.scheme not in self._within.schemes or parts.hostname is None:
            raise RefusedError(f"cannot open: {parts.scheme}: is not among web.added_streams.schemes")
        address = addresses_within(parts.hostname, self._within, self._resolve)[0]
        user_part, at, _ = parts.netloc.rpartition("@")
        host = f"[{address}]" if ":" in address else address
        port = "" if parts.port is None else f":{parts.port}"
        return urlunsplit(parts._replace(netloc=f"{user_part}{at}{host}{port}"))

    def listener(self) -> tuple[str, int] | None:
        """Host and port at which somebody must listen; None where that is not known. Blocks as `url`."""
        try:
            return Address(self.url()).listener()
        except SourceError:
            return None
