from __future__ import annotations

from collections.abc import Iterable

from monitor.publish.latest import Latest, Message


def topics(messages: Iterable[Message]) -> list[str]:
    return [message.topic for message in messages]


def test_retained_topic_goes_out_when_it_changes_and_only_its_latest_value() -> None:
    latest = Latest()
    latest.retain("a", "1")
    latest.retain("a", "2")
    assert list(latest.take(0.0)) == [Message("a", "2", retain=True)]
    latest.retain("a", "2")
    assert list(latest.take(0.0)) == []
    assert latest.due_in_s(0.0) is None


def test_rewrite_tells_every_retained_topic_again() -> None:
    latest = Latest()
    latest.retain("a", "1")
    latest.retain("b", "2")
    assert topics(latest.take(0.0)) == ["a", "b"]
    latest.rewrite()
    assert topics(latest.take(0.0)) == ["a", "b"]


def test_verdicts_of_a_track_go_out_once_a_second_and_the_latest_one() -> None:
    latest = Latest()
    latest.verdict("t", "1")
    assert list(latest.take(10.0)) == [Message("t", "1", retain=False)]
    latest.verdict("t", "2")
    latest.verdict("t", "3")
    latest.verdict("other", "1")
    assert topics(latest.take(10.4)) == ["other"]
    assert latest.due_in_s(10.4) == 11.0 - 10.4
    assert list(latest.take(11.0)) == [Message("t", "3", retain=False)]


def test_everything_is_bounded_and_counted_without_a_broker() -> None:
    latest = Latest()
    for number in range(1000):
        latest.verdict(f"t{number}", "v")
        latest.event("e", str(number))
        latest.retain("r", str(number))
    sent = list(latest.take(0.0))
    assert topics(sent).count("r") == 1
    assert topics(sent).count("e") == 256
    assert topics(sent)[-1] == "t999"
    assert latest.dropped == 2 * (1000 - 256)
    assert not list(latest.take(100.0))
    assert not latest._published_s


def test_what_was_not_taken_keeps_waiting() -> None:
    latest = Latest()
    latest.retain("a", "1")
    latest.retain("b", "1")
    latest.verdict("t", "v")
    assert next(latest.take(0.0)).topic == "a"  # and then the publisher was cancelled
    assert topics(latest.take(0.0)) == ["b", "t"]


def test_a_cleared_topic_is_forgotten_here_and_at_the_broker() -> None:
    latest = Latest()
    latest.retain("a", "1")
    latest.retain("b", "2")
    assert topics(latest.take(0.0)) == ["a", "b"]
    latest.clear("a")
    assert latest.due_in_s(0.0) == 0.0
    next(latest.take(0.0))  # the connection fails over it
    assert list(latest.take(0.0)) == [Message("a", "", retain=True)]
    latest.clear("of a former run")
    assert list(latest.take(0.0)) == [Message("of a former run", "", retain=True)]
    latest.rewrite()
    assert topics(latest.take(0.0)) == ["b"]
    latest.clear("b")
    latest.retain("b", "3")
    assert list(latest.take(0.0)) == [Message("b", "3", retain=True)]
