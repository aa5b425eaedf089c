"""Sends notifications by apprise: mail, messengers, telephones, and some hundred services more.

apprise waits for its services, so it does so in a thread of the target's own. It says whether it worked, and in words
for people why not, but not whether trying again makes sense; so nothing counts as a refusal, and all is tried again.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from monitor.errors import ConfigError
from monitor.notify.errors import DeliveryError
from monitor.notify.notification import Notification
from monitor.redact import one_line, redact

# Of apprise's many lines, the last one about a failure is told by us, once, without credentials.
_library_log = logging.getLogger("apprise")
_library_log.addHandler(logging.NullHandler())
_library_log.propagate = False

_WHOLE_S = 60.0
_FAILURES = ("WARNING", "ERROR", "CRITICAL")


class Push:
    """A target that apprise knows how to reach.

    Args:
        url: apprise's.
        name: of the target, for its thread.

    Attributes:
        about: the service, without credentials.

    Raises:
        ConfigError: apprise does not understand the URL; the message does not show it.
    """

    def __init__(self, url: str, name: str) -> None:
        import apprise  # noqa: PLC0415 - it takes a while, and most configurations need none of it

        service = apprise.Apprise.instantiate(url, asset=apprise.AppriseAsset(storage_mode="memory"))
        if not isinstance(service, apprise.NotifyBase):
            raise ConfigError("apprise does not understand this address; see https://appriseit.com")
        self._apprise = apprise.Apprise()
        self._apprise.add(service)
        self._plain = apprise.NotifyFormat.TEXT
        self._warning = apprise.NotifyType.WARNING
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"notify-{name}")
        self.about = str(service.service_name)

    async def send(self, notification: Notification) -> None:
        """Sends it.

        Raises:
            DeliveryError: it did not work, or took longer than a minute.
        """
        sending = asyncio.get_running_loop().run_in_executor(self._thread, self._notify, notification)
        try:
            async with asyncio.timeout(_WHOLE_S):
                failure = await sending
        except TimeoutError as error:
            raise DeliveryError(f"no answer within {_WHOLE_S:g} s") from error
        if failure is not None:
            raise DeliveryError(failure)

    async def aclose(self) -> None:
        """Leaves the thread to end by itself; one that hangs is not waited for."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _notify(self, notification: Notification) -> str | None:
        """Runs in the thread. Why it did not work; None where it did."""
        try:
            result = self._apprise.notify(
                body=notification.text(),
                title=notification.title(),
                notify_type=self._warning,
                body_format=self._plain,
            )
            if result:
                return None
            said = [str(entry.message) for entry in result.logs() if entry.level in _FAILURES]
        except Exception as error:  # noqa: BLE001 - a hundred services' code; none may take the service down
            return one_line(error)
        return redact(said[-1].splitlines()[0]).rstrip(".") if said and said[-1] else "apprise could not send it"
