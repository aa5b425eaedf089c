"""What programs read and write."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from monitor import payloads
from monitor.access import Principal
from monitor.messages import Verdict
from monitor.uploads import Wish
from monitor.web.api import create_api
from monitor.web.api.models import AlertShape, StatusShape, VerdictShape
from tests.monitor.actions.acting import ELSEWHERE, OPERATOR, SINCE, VIEWER, acting
from tests.monitor.store.examples import an_alert, fill
from tests.monitor.web.api.asking import As, asked, client

pytestmark = pytest.mark.anyio

VERDICT = Verdict("lobby", "1-1", 0.0, "suspect", 8.5, 16.0, 9, 0.8, ("few crops",))


async def test_stream_is_told_with_all_that_is_known_and_no_secret(tmp_path: Path) -> None:
    async with asked(tmp_path) as (http, _):
        answer = await http.get("/streams")
        lobby, gate = answer.json()["items"]
        assert (await http.get("/streams/lobby")).json() == lobby
    assert lobby["status"] == {
        "state": "live",
        "since": "2026-01-31T12:00:00.000Z",
        "degraded": [],
        "reason": None,
        "fps": 25.0,
        "faces": 2,
        "snoozed_until": None,
    }
    assert lobby["url"] == "rtsp://***@camera.example/main?token=***"
    for secret in ("s3cr", "t0ken"):
        assert secret not in answer.text
    assert (lobby["alerting"], lobby["adapter"]) == (True, None)
    assert lobby["figures"]["values"]["frames"] == 1500
    assert lobby["figures"]["by_cause"] == {"frames_dropped": {"superseded": 12}, "crops_gated": {"small": 7}}
    assert lobby["promise"]["false_alarms_target_per_stream_day"] == 0.1
    assert lobby["promise"]["false_alarms_promised_per_stream_day"] is None
    assert lobby["promise"]["calibrated"] is False
    assert gate["status"]["reason"] == "no frame for 10 s"


async def test_verdicts_are_those_of_faces_that_are_followed_now(tmp_path: Path) -> None:
    async with asked(tmp_path) as (http, parts):
        parts.live.decided(VERDICT)
        parts.live.decided(replace(VERDICT, state="fake", evidence=17.0))
        parts.live.decided(replace(VERDICT, track="1-2"))
        one, two = (await http.get("/streams/lobby/verdicts")).json()["items"]
        assert (one["track"], one["state"], one["evidence"], two["track"]) == ("1-1", "fake", 17.0, "1-2")
        parts.live.decided(replace(VERDICT, ended=True))
        (left,) = (await http.get("/streams/lobby/verdicts")).json()["items"]
        assert left["track"] == "1-2"


async def test_shapes_are_the_payloads_field_by_field() -> None:
    alert = an_alert(sequence=3)
    told = json.loads(payloads.alert(alert))
    assert AlertShape.of(alert).model_dump(by_alias=True) == told
    assert list(AlertShape.model_json_schema(by_alias=True)["properties"]) == list(told)
    verdict = json.loads(payloads.verdict(VERDICT, SINCE))
    assert list(VerdictShape.model_fields) == list(verdict)
    from monitor.messages import Status

    assert list(StatusShape.model_fields) == list(json.loads(payloads.status(Status("a", "live", SINCE))))


async def test_episode_is_told_with_messages_and_reviews(tmp_path: Path) -> None:
    async with asked(tmp_path, OPERATOR) as (http, parts):
        raised = await parts.store.record(an_alert(1), [])
        last = await parts.store.record(an_alert(2, alert_id="episode-1", type="cleared", evidence=0.5), [])
        said = await http.post("/alerts/episode-1/reviews", json={"answer": "wrong", "note": "a poster"})
        whole = (await http.get("/alerts/episode-1")).json()
        pages = [(await http.get("/alerts/episode-1/messages?limit=1")).json()]
        pages.append((await http.get(f"/alerts/episode-1/messages?limit=1&cursor={pages[0]['next']}")).json())
    assert said.status_code == 201
    assert whole["raised"] == json.loads(payloads.alert(raised))
    assert whole["latest"] == json.loads(payloads.alert(last))
    assert [message["id"] for message in whole["messages"]["items"]] == ["id-2", "id-1"]
    assert (whole["state"], whole["peak_evidence"], whole["message_count"]) == ("cleared", 17.25, 2)
    (review,) = whole["reviews"]
    assert (review["answer"], review["by"], review["note"], whole["answer"]) == ("wrong", "otto", "a poster", "wrong")
    assert [[message["id"] for message in each["items"]] for each in pages] == [["id-2"], ["id-1"]]
    assert pages[1]["next"] is None


async def test_pages_are_complete_and_stay_where_they_are_while_alerts_arrive(tmp_path: Path) -> None:
    async with asked(tmp_path) as (http, parts):
        await fill(parts.store, 1000)
        found: list[str] = []
        address = "/alerts?limit=130"
        while address:
            answer = await http.get(address)
            found += [episode["alert_id"] for episode in answer.json()["items"]]
            await parts.store.record(an_alert(1000 + len(found)), [])
            address = answer.links.get("next", {}).get("url", "")
    assert found == [f"episode-{number}" for number in reversed(range(1000))]


async def test_alerts_are_filtered(tmp_path: Path) -> None:
    async with asked(tmp_path) as (http, parts):
        for number, stream in enumerate(("lobby", "gate", "lobby")):
            at = SINCE + timedelta(hours=number)
            await parts.store.record(an_alert(number, stream=stream, at=at), [])
        await parts.store.record(an_alert(9, alert_id="episode-2", type="cleared", verdict="clear"), [])
        await http.post("/alerts/episode-0/reviews", json={"answer": "right"})

        async def found(query: str) -> list[str]:
            return [each["alert_id"] for each in (await http.get(f"/alerts?{query}")).json()["items"]]

        assert await found("stream=gate") == ["episode-1"]
        assert await found("stream=gate&stream=lobby") == ["episode-2", "episode-1", "episode-0"]
        assert await found("since=2026-01-31T13:00:00Z&until=2026-01-31T15:00:00%2B01:00") == ["episode-1"]
        assert await found("state=open") == ["episode-1", "episode-0"]
        assert await found("reviewed=false") == ["episode-2", "episode-1"]
        assert await found("verdict=clear") == ["episode-2"]


async def test_who_may_not_see_a_stream_learns_nothing_of_it(tmp_path: Path) -> None:
    async with asked(tmp_path, ELSEWHERE) as (http, parts):
        await parts.store.record(an_alert(1, stream="lobby"), [])
        await parts.store.record(an_alert(2, stream="gate"), [])
        assert [each["name"] for each in (await http.get("/streams")).json()["items"]] == ["gate"]
        assert [each["alert_id"] for each in (await http.get("/alerts")).json()["items"]] == ["episode-2"]
        assert [json.loads(line)["stream"] for line in (await http.get("/alerts.ndjson")).text.splitlines()] == ["gate"]
        assert list((await http.get("/system")).json()["health"]["streams"]) == ["gate"]
        # Hidden or not there: nobody can tell by the answer.
        for hidden, nothing in (("/streams/lobby", "/streams/nothing"), ("/alerts/episode-1", "/alerts/episode-9")):
            answers = [await http.get(address) for address in (hidden, nothing)]
            assert answers[0].status_code == answers[1].status_code
            assert answers[0].text == answers[1].text.replace(nothing.split("/")[-1], hidden.split("/")[-1])
        hidden_review = await http.post("/alerts/episode-1/reviews", json={"answer": "right"})
        assert hidden_review.status_code == 404


async def test_snooze_holds_at_once_and_ends(tmp_path: Path) -> None:
    async with asked(tmp_path, OPERATOR) as (http, parts):
        answer = await http.post("/streams/lobby/snooze", json={"for_s": 7200})
        assert answer.status_code == 200
        until = datetime.fromisoformat(answer.json()["snoozed_until"])
        assert abs(until - datetime.now(UTC) - timedelta(hours=2)) < timedelta(minutes=5)
        standing = parts.snoozes.until("lobby")
        assert standing is not None
        assert abs(standing - until) < timedelta(milliseconds=2)
        assert (await http.delete("/streams/lobby/snooze")).status_code == 204
        assert parts.snoozes.until("lobby") is None


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "body"),
        ({"for_s": 60, "until": "2126-01-31T12:00:00Z"}, "body"),
        ({"for_s": 0}, "body.for_s"),
        ({"for_s": 32 * 86400}, "body.for_s"),
        ({"until": "2020-01-31T12:00:00Z"}, "until"),
        ({"until": "2126-01-31T12:00:00Z"}, "until"),
        ({"until": "0001-01-01T00:00:00+14:00"}, "body.until"),
        ({"until": "2126-01-31T12:00:00"}, "body.until"),
        ({"for": "2h"}, "body.for"),
    ],
)
async def test_snooze_that_cannot_be_meant_is_refused_by_field(
    tmp_path: Path, body: dict[str, object], place: str
) -> None:
    async with asked(tmp_path, OPERATOR) as (http, parts):
        answer = await http.post("/streams/lobby/snooze", json=body)
        assert await parts.store.snoozes() == {}
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert place in [error["place"] for error in answer.json()["errors"]]


ERRORS = [
    ("GET", "/streams/nothing", 404),
    ("GET", "/nothing", 404),
    ("GET", "/", 404),
    ("PUT", "/streams", 405),
    ("POST", "/streams/lobby", 405),
    ("GET", "/alerts?limit=201", 422),
    ("GET", "/alerts?limit=x", 422),
    ("GET", "/alerts?curser=x", 422),
    ("GET", "/alerts?cursor=x", 422),
    ("GET", "/alerts?since=2026-01-31T12:00:00", 422),
    ("GET", "/alerts?until=0001-01-01T00:00:00%2B14:00", 422),
    ("GET", "/alerts/no%20id", 422),
    ("GET", "/events?types=gossip", 422),
    ("GET", "/events?stream=nothing", 404),
    ("POST", "/configuration/reload", 409),
]


async def test_every_error_is_a_problem(tmp_path: Path) -> None:
    async with asked(tmp_path) as (http, _):
        for method, address, status in ERRORS:
            answer = await http.request(method, address)
            assert (address, answer.status_code) == (address, status)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["cache-control"] == "no-store"
            assert (answer.json()["status"], answer.json()["title"]) == (status, HTTPStatus(status).phrase)


async def test_nobody_is_told_to_log_in(tmp_path: Path) -> None:
    async with asked(tmp_path, None) as (http, _):
        for address in ("/streams", "/alerts", "/openapi.json", "/events", "/version"):
            answer = await http.get(address)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer ")
            assert answer.headers["content-type"] == "application/problem+json"


async def test_who_may_only_look_changes_nothing(tmp_path: Path) -> None:
    async with asked(tmp_path, VIEWER) as (http, parts):
        await parts.store.record(an_alert(1), [])
        review = await http.post("/alerts/episode-1/reviews", json={"answer": "wrong"})
        assert (review.status_code, review.json()["detail"]) == (403, "this takes the role operator; yours is viewer")
        assert (await http.post("/streams/lobby/snooze", json={"for_s": 60})).status_code == 403
        assert (await http.post("/configuration/reload")).status_code == 403
        assert (await http.get("/alerts/episode-1")).json()["reviews"] == []


async def test_large_bodies_are_refused_whether_or_not_they_say_so(tmp_path: Path) -> None:
    async with asked(tmp_path) as (http, parts):
        await parts.store.record(an_alert(1), [])
        large = json.dumps({"answer": "right", "note": "x" * 100_000}).encode()

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(large), 1000):
                yield large[start : start + 1000]

        for content in (large, pieces()):
            answer = await http.post(
                "/alerts/episode-1/reviews", content=content, headers={"Content-Type": "application/json"}
            )
            assert answer.status_code == 413
            assert answer.headers["content-type"] == "application/problem+json"


async def test_large_file_is_read_only_of_who_may_send_it(tmp_path: Path) -> None:

    async with acting(tmp_path) as parts:
        api = create_api(parts.actions, most_upload_bytes=1_000_000)
        for principal, size, status in (
            (OPERATOR, 900_000, 202),
            (OPERATOR, 1_100_000, 413),
            (VIEWER, 900_000, 413),
            (None, 900_000, 413),
            (VIEWER, 10, 403),
            (None, 10, 401),
        ):
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(As(api, principal)), base_url="http://x"
            ) as http:
                answer = await http.post("/scores", files={"file": ("a.mp4", bytes(size))})
            assert (principal, size, answer.status_code) == (principal, size, status)


async def test_head_is_get_without_a_body(tmp_path: Path) -> None:
    async with asked(tmp_path) as (http, parts):
        await parts.store.record(an_alert(1), [])
        for address in ("/streams", "/alerts", "/alerts/episode-1", "/alerts.csv", "/events", "/openapi.json"):
            answer = await http.head(address)
            assert (answer.status_code, answer.content) == (200, b"")
        assert parts.live.broadcast.statistics().subscribers == 0


async def test_store_that_does_not_answer_is_503_and_comes_back(tmp_path: Path) -> None:
    async with asked(tmp_path) as (http, parts):
        await parts.store.record(an_alert(1), [])
        database = tmp_path / "alerts.db"
        database.rename(tmp_path / "away.db")
        database.mkdir()
        answer = await http.get("/alerts")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.headers["content-type"] == "application/problem+json"
        database.rmdir()
        (tmp_path / "away.db").rename(database)
        assert (await http.get("/alerts")).status_code == 200


async def test_system_tells_what_runs(tmp_path: Path) -> None:
    async with asked(tmp_path) as (http, parts):
        await parts.store.record(an_alert(1), ["mqtt"])
        system = (await http.get("/system")).json()
        assert system["versions"] == (await http.get("/version")).json()
    assert system["model"]["weights"] == "demo"
    assert system["notices"] == ["demo encoder: not for real use"]
    assert system["store"]["waiting"] == {"mqtt": 1}
    assert (system["health"]["ready"], system["workers"]["isolation"]) == (True, "process")


async def test_principal_of_one_stream_may_ask_for_no_other(tmp_path: Path) -> None:
    async with asked(tmp_path, Principal("gustav", "viewer", frozenset({"gate"}))) as (http, parts):
        assert (await http.get("/alerts?stream=lobby")).status_code == 403
        assert (await http.get("/events?stream=lobby")).status_code == 403
        async with client(parts.actions) as local:
            assert (await local.get("/alerts?stream=lobby")).status_code == 200


@pytest.mark.parametrize(
    ("fields", "place", "why"),
    [
        ({"adapter": "door"}, "body.adapter", "there is no adapter door; there is: none"),
        ({"frames": "8", "stride": "2"}, "body.stride", "give one of frames, stride and per_second"),
        ({"stride": "2", "per_second": "2"}, "body.per_second", "give one of frames, stride and per_second"),
    ],
)
async def test_how_a_file_is_looked_at_must_be_possible(
    tmp_path: Path, fields: dict[str, str], place: str, why: str
) -> None:
    async with asked(tmp_path, OPERATOR) as (http, _):
        answer = await http.post("/scores", files={"file": ("a.png", b"")}, data=fields)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"place": place, "what": why}]


async def test_wishes_arrive_and_what_is_not_made_yet_is_not_there(tmp_path: Path) -> None:
    fields = {"per_second": "2.5", "most_faces": "2", "annotate": "true", "min_face_px": "50"}
    async with asked(tmp_path, OPERATOR) as (http, parts):
        sent = (await http.post("/scores", files={"file": ("a.png", b"")}, data=fields)).json()
        (job,) = parts.jobs.jobs()
        assert job.wish == Wish(per_second=2.5, most_faces=2, annotate=True, min_face_px=50)
        for part in ("result.json", "faces.csv", "annotated", "pictures/0"):
            assert (await http.get(f"/scores/{sent['id']}/{part}")).status_code == 404
        assert (await http.get("/system")).json()["uploads"]["waiting"] == 1
