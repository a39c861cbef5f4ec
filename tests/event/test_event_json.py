"""An event's JSON: the constant parts of frames are encoded once, and only those are reused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from flask_sentry_kit.event import event_json as room
from flask_sentry_kit.event.build import build_event
from flask_sentry_kit.event.event_json import Place, event_json
from flask_sentry_kit.event.frames import Stacks
from flask_sentry_kit.event.occurrence import EventOptions, Occurrence
from flask_sentry_kit.event.scope import Scope
from flask_sentry_kit.event.scrub import Scrubber

OPTIONS = EventOptions(scrubber=Scrubber(), stacks=Stacks(), sdk={"name": "x", "version": "1"})


def fail_deep(left: int, word: str = "„<&>”") -> None:
    if left:
        fail_deep(left - 1)
    try:
        raise KeyError(word)
    except KeyError as error:
        raise ValueError("second") from error


def built(depth: int = 5) -> dict[str, Any]:
    try:
        fail_deep(depth)
    except ValueError as error:
        return build_event(Occurrence(scope=Scope(False), error=error), OPTIONS)
    raise AssertionError


def frames_of(event: dict[str, Any]) -> list[dict[str, Any]]:
    return [frame for one in event["exception"]["values"] for frame in one["stacktrace"]["frames"]]


def untouched(event: dict[str, Any]) -> None:
    pass


def masked_line(event: dict[str, Any]) -> None:
    frames_of(event)[0]["pre_context"] = ["********"]


def without_locals(event: dict[str, Any]) -> None:
    for frame in frames_of(event):
        frame.pop("vars", None)


def without_source(event: dict[str, Any]) -> None:
    for frame in frames_of(event):
        frame.pop("post_context", None)


def one_more(event: dict[str, Any]) -> None:
    frames_of(event)[0]["colno"] = 5


def one_for_another(event: dict[str, Any]) -> None:
    frame = frames_of(event)[0]
    frame.pop("lineno")
    frame["colno"] = 5


def locals_that_are_none(event: dict[str, Any]) -> None:
    for frame in frames_of(event):
        frame["vars"] = None


def plain_frames(event: dict[str, Any]) -> None:
    for one in event["exception"]["values"]:
        one["stacktrace"]["frames"] = [dict(frame) for frame in one["stacktrace"]["frames"]]


def no_stack(event: dict[str, Any]) -> None:
    event["exception"]["values"][0].pop("stacktrace")
    event["exception"]["values"][1]["stacktrace"] = None


def frames_omitted(event: dict[str, Any]) -> None:
    event["exception"]["values"][0]["stacktrace"]["frames_omitted"] = [15, 20]


def no_frames(event: dict[str, Any]) -> None:
    for one in event["exception"]["values"]:
        one["stacktrace"]["frames"] = []


def other_shapes(event: dict[str, Any]) -> None:
    event["exception"]["values"] += ["text", None, 5]
    event["exception"]["more"] = True


def no_values(event: dict[str, Any]) -> None:
    event["exception"] = {"values": []}


def a_list(event: dict[str, Any]) -> None:
    event["exception"] = [event["exception"]]


def a_message(event: dict[str, Any]) -> None:
    event.pop("exception")


def nothing_else(event: dict[str, Any]) -> None:
    for name in set(event) - {"exception"}:
        event.pop(name)


CHANGES = (
    untouched, masked_line, without_locals, without_source, one_more, one_for_another,
    locals_that_are_none, plain_frames, no_stack, frames_omitted, no_frames, other_shapes,
    no_values, a_list, a_message, nothing_else,
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda one: one.__name__)
def test_it_says_what_the_event_says(change: Callable[[dict[str, Any]], None]) -> None:
    """After masking, trimming or an app's processor, the JSON shows the event's current content."""
    for _ in range(2):
        event = built()
        event_json(built())  # the lines' own JSON is there already
        change(event)
        assert json.loads(event_json(event)) == json.loads(json.dumps(event))


def test_a_line_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later crash at the same place does not encode a source line again."""
    first = built()
    without_locals(first)
    event_json(first)
    encoded: list[Any] = []
    plain = room._encode
    monkeypatch.setattr(room, "_encode", lambda value: encoded.append(value) or plain(value))
    second = built()
    without_locals(second)
    event_json(second)
    assert not any("context_line" in str(value) for value in encoded)
    assert "context_line" in str(second)


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines in another script can be six times as long in JSON, and are then not cached."""
    encoded: list[Any] = []
    plain = room._encode
    monkeypatch.setattr(room, "_encode", lambda value: encoded.append(value) or plain(value))
    short, long = Place(context_line="x" * 200), Place(context_line="語" * 2_000)
    for place in (short, short, long, long):
        assert json.loads(place.json) == place
    assert encoded == [short, long, long]
