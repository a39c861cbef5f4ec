"""Contents of an event: chains, groups, notes, level and time, always within 200 kB."""

from __future__ import annotations

import builtins
import json
import logging
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from flask_sentry_kit import sentry
from flask_sentry_kit.event.interfaces import EVENT_MAX, EXCEPTIONS_MAX, level_name, timestamp
from tests.support.types import MakeApp


def _types(event: dict[str, Any]) -> list[str]:
    return [value["type"] for value in event["exception"]["values"]]


def test_the_frame_of_an_event(event_of: Any) -> None:
    """Id, time, platform, level, server, runtime and app are as Sentry's servers want them."""

    def crash() -> str:
        raise ValueError("boom")

    event = event_of(crash)
    assert len(event["event_id"]) == 32
    int(event["event_id"], 16)
    when = datetime.fromisoformat(event["timestamp"].removesuffix("Z")).replace(tzinfo=timezone.utc)
    assert abs(datetime.now(timezone.utc) - when) < timedelta(minutes=1)
    assert event["platform"] == "python"
    assert event["level"] == "error"
    assert event["sdk"]["name"] == "raven-python"
    assert event["contexts"]["runtime"]["version"].startswith("3.")
    assert event["contexts"]["app"] == {"app_name": "shop"}
    assert event["server_name"]
    [value] = event["exception"]["values"]
    assert (value["type"], value["value"], value["module"]) == ("ValueError", "boom", "builtins")
    assert value["mechanism"]["handled"] is False


def test_chained_exceptions_come_oldest_first(event_of: Any) -> None:
    """raise … from … and handled exceptions are in the event, with the caught one last."""

    def crash() -> str:
        try:
            try:
                raise KeyError("root")
            except KeyError:
                raise ValueError("while handling")  # noqa: B904  # the point of the test
        except ValueError as error:
            raise RuntimeError("outermost") from error

    event = event_of(crash)
    assert _types(event) == ["KeyError", "ValueError", "RuntimeError"]
    assert [v["mechanism"].get("source") for v in event["exception"]["values"]] == [
        "__context__",
        "__cause__",
        None,
    ]
    assert all(value["stacktrace"]["frames"] for value in event["exception"]["values"])


def test_from_none_hides_the_context(event_of: Any) -> None:
    """raise … from None leaves the earlier exceptions out."""

    def crash() -> str:
        try:
            raise KeyError("hidden")
        except KeyError:
            raise ValueError("shown") from None

    assert _types(event_of(crash)) == ["ValueError"]


def test_a_chain_that_bites_its_tail_ends(event_of: Any) -> None:
    """Exceptions that cause each other are each in the event once."""

    def crash() -> str:
        first, second = ValueError("first"), KeyError("second")
        first.__cause__, second.__cause__ = second, first
        raise first

    assert sorted(_types(event_of(crash))) == ["KeyError", "ValueError"]


def test_long_chains_are_bounded(event_of: Any) -> None:
    """Of a very long chain, the nearest exceptions are in the event."""

    def crash() -> str:
        error: Exception | None = None
        for number in range(500):
            following = ValueError(number)
            following.__cause__ = error
            error = following
        assert error is not None
        raise error

    event = event_of(crash)
    assert len(event["exception"]["values"]) == EXCEPTIONS_MAX
    assert event["exception"]["values"][-1]["value"] == "499"


class _Group(Exception):
    """Like an ExceptionGroup, for Python 3.10. The backport has the same name."""

    def __init__(self, message: str, members: list[Exception]) -> None:
        super().__init__(message)
        self.exceptions = tuple(members)


_Group.__name__ = "BaseExceptionGroup"
_group: Any = getattr(builtins, "ExceptionGroup", _Group)  # 3.11 has it


def test_members_of_groups_are_told(event_of: Any) -> None:
    """Every member of an ExceptionGroup, also of nested ones, is in the event with its parent."""

    def crash() -> str:
        raise _group(
            "several", [ValueError("one"), _group("inner", [KeyError("two"), TypeError("three")])]
        )

    event = event_of(crash)
    values = event["exception"]["values"]
    assert sorted(value["value"].split(" (")[0] for value in values) == [
        "'two'",
        "inner",
        "one",
        "several",
        "three",
    ]
    assert values[-1]["mechanism"]["is_exception_group"] is True
    parents = {v["mechanism"]["exception_id"]: v["mechanism"].get("parent_id") for v in values}
    by_text = {v["value"].split(" (")[0]: v["mechanism"]["exception_id"] for v in values}
    assert parents[by_text["one"]] == by_text["several"]
    assert parents[by_text["three"]] == by_text["inner"]


def test_a_huge_group_is_bounded(event_of: Any) -> None:
    """A group of thousands is one event within its bound."""

    def crash() -> str:
        raise _group("many", [ValueError(n) for n in range(5_000)])

    assert len(event_of(crash)["exception"]["values"]) == EXCEPTIONS_MAX


def test_notes_are_in_the_message(event_of: Any) -> None:
    """Texts from add_note() are below the message."""

    def crash() -> str:
        error = ValueError("boom")
        error.__notes__ = ["first note", "second note"]  # type: ignore[attr-defined]  # add_note()
        raise error

    value = event_of(crash)["exception"]["values"][-1]["value"]
    assert value == "boom\nfirst note\nsecond note"


def test_an_event_never_exceeds_its_bound(event_of: Any) -> None:
    """Megabytes in message, locals, chain, extra, tags and breadcrumbs: 200 kB arrive."""

    def crash() -> str:
        sentry.tags_context({f"t{n}" * 50: "é" * 10_000 for n in range(500)})
        sentry.extra_context({f"e{n}": "日本" * 10_000 for n in range(500)})
        sentry.user_context({"id": "u" * 10**6, **{f"u{n}": "x" * 10**4 for n in range(500)}})
        sentry.client.context.merge({"fingerprint": ["f" * 10**5] * 100, "culprit": "c" * 10**6})
        sentry.client.context.merge({"x" * 10**5: "y" * 10**5})
        large = {f"k{n}": "\U0001f600" * 10_000 for n in range(1_000)}  # noqa: F841
        lists = [[["x" * 1_000] * 100] * 100] * 100  # noqa: F841
        error: Exception = ValueError("m" * 10**6)
        for _ in range(40):
            following = ValueError("\U0001f600" * 10**5)
            following.__cause__ = error
            error = following
        raise error

    event = event_of(crash)
    assert event["exception"]["values"][-1]["type"] == "ValueError"


@pytest.mark.parametrize("size", [10, 1_000, 100_000])
def test_modules_and_lists_of_any_size(make_app: MakeApp, wire: Any, size: int) -> None:
    """Any amount of extra data in a message fits too, and is marked as cut."""
    app = make_app()
    app.extensions["sentry"].captureMessage(
        "x" * size, extra={"a": ["y" * size] * 100, "b": {str(n): n for n in range(size)}}
    )
    wire.one_event(app)
    assert len(wire.stored[0].body) <= EVENT_MAX


@pytest.mark.parametrize(
    ("level", "name"),
    [
        (10, "debug"),
        (25, "info"),
        ("warning", "warning"),
        ("WARN", "warning"),
        ("fatal", "fatal"),
        (logging.CRITICAL, "fatal"),
        (99, "fatal"),
        (0, "debug"),
        ("no such level", "error"),
        (None, "error"),
        ([], "error"),
    ],
)
def test_levels(level: Any, name: str) -> None:
    """Numbers and names of levels become one of Sentry's five."""
    assert level_name(level) == name


def test_times_are_utc() -> None:
    """A date with a zone is converted. A date without one is taken as UTC, as in raven."""
    date = datetime(2026, 11, 22, 8, 30, 0, 5)
    assert timestamp(date) == "2026-11-22T08:30:00.000005Z"
    zoned = date.replace(tzinfo=timezone(timedelta(hours=5)))
    assert timestamp(zoned) == "2026-11-22T03:30:00.000005Z"


def test_ravens_data_reaches_the_event(make_app: MakeApp, wire: Any) -> None:
    """data= of a capture sets culprit, fingerprint, logger, request and user."""
    app = make_app()
    app.extensions["sentry"].captureMessage(
        "hello",
        data={
            "culprit": "here",
            "fingerprint": ["a", "b"],
            "logger": "mine",
            "level": "warning",
            "tags": {"from": "data"},
            "extra": {"n": 1},
            "user": {"id": 5},
            "request": {"url": "http://x/", "method": "GET"},
        },
        tags={"from": "keyword"},
    )
    event = wire.one_event(app)
    assert event["culprit"] == "here"
    assert event["fingerprint"] == ["a", "b"]
    assert event["logger"] == "mine"
    assert event["level"] == "warning"
    assert event["tags"] == {"from": "keyword"}
    assert event["extra"] == {"n": 1}
    assert event["user"] == {"id": 5}
    assert event["request"]["url"] == "http://x/"


def test_processors_of_the_app_run_last(make_app: MakeApp, wire: Any) -> None:
    """A processor can take something out of the event before it is sent."""
    app = make_app(SENTRY_PROCESSORS=[f"{__name__}.Removes"])
    app.test_client().get("/boom", headers={"X-Trace": "visible"})
    event = wire.one_event(app)
    assert event["extra"] == {"processed": True}
    assert "headers" not in event["request"]


def test_a_processor_that_fails_leaks_nothing(make_app: MakeApp, wire: Any) -> None:
    """If a processor fails, the event is sent without the parts it may have wanted to remove."""
    app = make_app(SENTRY_PROCESSORS=[Fails])
    app.test_client().get("/boom?private=1")
    event = wire.one_event(app)
    assert "request" not in event
    assert all(
        "vars" not in frame for frame in event["exception"]["values"][-1]["stacktrace"]["frames"]
    )


class Removes:
    """A processor like those in raven's documentation."""

    def __init__(self, client: Any) -> None:
        pass

    def process(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        del data["request"]["headers"]
        data["extra"] = {"processed": True}
        return data


class Fails:
    """A processor with a fault."""

    def __init__(self, client: Any) -> None:
        pass

    def process(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        raise KeyError


def test_events_are_strict_json(event_of: Any) -> None:
    """The received event contains no NaN, even if the frame does."""

    def crash() -> str:
        nan = [float("nan"), float("inf")]  # noqa: F841
        raise ValueError

    event_of(crash)


def test_the_bound_is_what_it_says() -> None:
    """The limit is 200 kB, as documented."""
    assert EVENT_MAX == 200_000
    assert json.dumps("é").__len__() == 8
