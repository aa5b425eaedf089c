"""Posts notifications as signed JSON.

    X-GenD-Id: id of the alert, or of the digest
    X-GenD-Timestamp: seconds since 1970
    X-GenD-Signature: sha256=<hex of HMAC-SHA256(secret, timestamp + "." + body)>

The time is signed so that a request cannot be kept and repeated later. Redirects are not followed: a signed body goes
where the configuration says and nowhere else. The answer's body is never read, so that none is too large.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from importlib.metadata import version
from urllib.parse import urlsplit

import httpx

from monitor.clock import Clock
from monitor.notify.errors import DeliveryError
from monitor.notify.notification import Notification
from monitor.redact import one_line

_CONNECT_S = 5.0
_STEP_S = 10.0
_WHOLE_S = 15.0
_TAKEN = range(200, 300)
_REFUSED = range(300, 500)
_LATER = (408, 425, 429)
"""Of what looks like a refusal: time-out, too early, too many requests."""


class Webhook:
    """A target that speaks HTTP.

    Args:
        url: `http://` or `https://`; certificates are checked.
        secret: key of the signature.
        clock: for the time that is signed.

    Attributes:
        about: what it is, without credentials.
    """

    def __init__(self, url: str, secret: str, clock: Clock) -> None:
        self._url = url
        self._secret = secret.encode()
        self._clock = clock
        self._client: httpx.AsyncClient | None = None
        self.about = f"webhook at {urlsplit(url).hostname}"

    async def send(self, notification: Notification) -> None:
        """Posts it.

        Raises:
            DeliveryError: not answered by 2xx within 15 s; `refused` by 3xx and 4xx.
        """
        body = notification.json().encode()
        timestamp = str(int(self._clock.wall(self._clock.now_s()).timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"gend-monitor/{version('gend-monitor')}",
            "X-GenD-Id": notification.id,
            "X-GenD-Timestamp": timestamp,
            "X-GenD-Signature": signature(self._secret, timestamp, body),
        }
        try:
            async with asyncio.timeout(_WHOLE_S):
                status = await self._post(body, headers)
        except TimeoutError as error:
            raise DeliveryError(f"no answer within {_WHOLE_S:g} s") from error
        except httpx.TimeoutException as error:
            raise DeliveryError("no answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise DeliveryError(one_line(error)) from error
        if status not in _TAKEN:
            raise DeliveryError(
                f"answered {status} {httpx.codes.get_reason_phrase(status)}".rstrip(),
                refused=status in _REFUSED and status not in _LATER,
            )

    async def aclose(self) -> None:
        """Closes the connection."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _post(self, body: bytes, headers: dict[str, str]) -> int:
        if self._client is None:
            # Made in a thread: it reads the authorities' certificates.
            self._client = await asyncio.to_thread(_new_client)
        async with self._client.stream("POST", self._url, content=body, headers=headers) as response:
            return response.status_code


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """What `X-GenD-Signature` says.

    Args:
        secret: key that both ends know.
        timestamp: as in `X-GenD-Timestamp`.
        body: of the request, as it is sent.
    """
    return "sha256=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _new_client() -> httpx.AsyncClient:
    return httpx.AsyncClient(follow_redirects=False, timeout=httpx.Timeout(_STEP_S, connect=_CONNECT_S))
