from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor import payloads
from monitor.clock import LiveClock
from monitor.notify.errors import DeliveryError
from monitor.notify.notification import Notification
from monitor.notify.webhook import Webhook
from tests.monitor.notify.running import SECRET
from tests.monitor.store.examples import an_alert
from tests.webhook_receiver import Receiver

pytestmark = pytest.mark.anyio

DOCUMENTED = Path(__file__).parents[3] / "docs" / "notifications.md"


@pytest.fixture
def verified() -> Callable[..., bool]:
    """The function that the documentation gives to receivers."""
    code = re.search(r"<!-- verify -->\n```python\n(.*?)```", DOCUMENTED.read_text(), re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code[1], names)
    function: Callable[..., bool] = names["verified"]
    return function


async def sent(receiver: Receiver, *numbers: int) -> None:
    webhook = Webhook(receiver.url, SECRET, LiveClock())
    try:
        await webhook.send(Notification(tuple(an_alert(number, stream="büro") for number in numbers)))
    finally:
        await webhook.aclose()


async def test_what_is_posted_is_the_alert_as_over_mqtt(receiver: Receiver) -> None:
    await sent(receiver, 1)
    (request,) = receiver.requests
    assert request.body.decode() == payloads.alert(an_alert(1, stream="büro"))
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["X-GenD-Id"] == "id-1"


async def test_a_receiver_verifies_it_as_documented(receiver: Receiver, verified: Callable[..., bool]) -> None:
    await sent(receiver, 1)
    await sent(receiver, 1, 2)
    for request in receiver.requests:
        assert verified(SECRET, request.headers, request.body)
        assert not verified("another secret", request.headers, request.body)
        assert not verified(SECRET, request.headers, request.body + b" ")
        later = request.headers | {"X-GenD-Timestamp": str(int(request.headers["X-GenD-Timestamp"]) + 1)}
        assert not verified(SECRET, later, request.body)
        assert not verified(SECRET, request.headers, request.body, tolerance_s=-1)
        assert abs(time.time() - int(request.headers["X-GenD-Timestamp"])) < 60


@pytest.mark.parametrize(
    ("status", "refused"),
    [
        (400, True),
        (401, True),
        (404, True),
        (410, True),
        (307, True),
        (408, False),
        (425, False),
        (429, False),
        (503, False),
    ],
)
async def test_only_some_answers_are_refusals(receiver: Receiver, status: int, refused: bool) -> None:
    receiver.answer = lambda _: status
    with pytest.raises(DeliveryError, match=f"answered {status}") as caught:
        await sent(receiver, 1)
    assert caught.value.refused is refused


async def test_a_server_that_speaks_no_http_is_an_error_without_credentials(no_http: int) -> None:
    webhook = Webhook(f"http://user:s3cretpass@127.0.0.1:{no_http}/x", SECRET, LiveClock())
    with pytest.raises(DeliveryError) as caught:
        await webhook.send(Notification((an_alert(1),)))
    await webhook.aclose()
    assert "s3cretpass" not in str(caught.value)
    assert not caught.value.refused
