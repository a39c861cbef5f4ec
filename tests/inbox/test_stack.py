"""What is read of stacks and of exceptions that belong together, from events of real clients."""

from __future__ import annotations

import builtins
import time
from typing import Any

import pytest

from flask_sentry_kit.inbox.content.reading import Event, read_event
from flask_sentry_kit.inbox.content.stack import by_owner, calls_in


def frame(function: str, line: int = 1, ours: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "module": "shop" if ours else "flask.app", "function": function, "lineno": line,
        "filename": "shop.py", "abs_path": "/srv/shop.py", "in_app": ours, **more,
    }  # fmt: skip


def crash(*frames: dict[str, Any]) -> Event:
    failure = {"type": "E", "value": "v", "stacktrace": {"frames": list(frames)}}
    return read_event({"exception": {"values": [failure]}})


def shown(event: Event) -> list[tuple[str, int]]:
    return [(one.function, one.more) for one in event.failures[0].frames]


def test_a_recursion_is_folded() -> None:
    """What repeats is counted and left out, and the calls that led to it are shown."""
    outer = [frame("wsgi", ours=False), frame("view")]
    event = crash(*outer, *[frame("fact", 2)] * 961, frame("fact", 9))
    assert shown(event) == [("fact", 0), ("fact", 960), ("view", 0), ("wsgi", 0)]
    assert not event.cut
    assert calls_in(event.failures[0].frames) == 964


def test_functions_that_call_each_other_are_folded_too() -> None:
    """One round of the circle is shown."""
    circle = [frame("ping"), frame("pong"), frame("check")]
    event = crash(frame("view"), *circle * 100)
    assert shown(event) == [("check", 0), ("pong", 0), ("ping", 297), ("view", 0)]


def test_what_repeats_twice_is_shown() -> None:
    """Two calls are no recursion; nor are those of one function at different lines."""
    event = crash(frame("a"), frame("a"), frame("b", 1), frame("b", 2), frame("b", 3))
    assert shown(event) == [("b", 0), ("b", 0), ("b", 0), ("a", 0), ("a", 0)]


def test_folding_costs_no_more_for_a_hostile_stack() -> None:
    """Frames that are compared in vain cost about what frames without a recursion do."""
    plain = [frame(f"f{number}") for number in range(2_000)]
    hostile = [frame("ab"[number % 7 == 6], number % 7 // 3) for number in range(2_000)]
    hostile += [frame("a", number % 2 + number // 700) for number in range(2_000)]

    def cost(frames: list[dict[str, Any]]) -> float:
        started = time.process_time()
        crash(*frames)
        return time.process_time() - started

    assert min(cost(hostile) for _ in range(3)) < 5 * min(cost(plain) for _ in range(3)) + 0.05


def test_the_frames_of_a_browser_are_read() -> None:
    """Columns, and an address for a file; the library is the package or the script."""
    event = read_event(
        {
            "platform": "javascript",
            "exception": {
                "values": [
                    {
                        "type": "TypeError",
                        "value": "x is undefined",
                        "stacktrace": {
                            "frames": [
                                {
                                    "filename": "http://shop.example/node_modules/@vue/core/a.js",
                                    "function": "?",
                                    "in_app": False,
                                },
                                {
                                    "filename": "http://shop.example/app.js?v=1",
                                    "function": "pay",
                                    "lineno": 1,
                                    "colno": 3920,
                                    "in_app": True,
                                },
                            ]
                        },
                    }
                ]
            },
        }
    )
    place, outer = event.failures[0].frames
    assert (place.line, place.column, place.library, place.path) == (1, 3920, "app.js", "")
    assert outer.library == "@vue/core"
    assert event.place is place


def test_code_is_shown_in_the_order_it_runs_in() -> None:
    """Characters that turn the direction are shown by their number: else a comment may look like
    code (CVE-2021-42574). Letters of languages that run to the left stay."""
    source = "if admin:\u202e # שלום\u2066 return"
    place = crash(frame("view", context_line=source, vars={"a\u2069": "\u202d"})).place
    assert place is not None
    assert place.source[0].text == "if admin:[U+202E] # שלום[U+2066] return"
    assert place.variables == (("a[U+2069]", "[U+202D]"),)


def tree(event: Event) -> list[tuple[str, int, str, bool]]:
    return [(one.type, one.depth, one.relation, one.read_first) for one in event.failures]


GROUP: Any = getattr(builtins, "ExceptionGroup", None)


@pytest.mark.skipif(GROUP is None, reason="Python has exception groups from 3.11 on")
def test_a_group_of_sentry_sdk_is_a_tree() -> None:
    """Its members below it, each with its own cause; the first member is the one to start with."""
    from sentry_sdk.utils import event_from_exception

    try:
        try:
            int("x")
        except ValueError as error:
            inner = TypeError("late")
            inner.__context__ = error
        group = GROUP("two", [KeyError("a"), GROUP("one", [inner])])
        raise group from OSError("disk")
    except GROUP as error:
        event, _ = event_from_exception(error)
    assert tree(read_event(event)) == [
        ("ExceptionGroup", 0, "", False),
        ("OSError", 1, "caused by", False),
        ("KeyError", 1, "in the group", True),
        ("ExceptionGroup", 1, "in the group", False),
        ("TypeError", 2, "in the group", False),
        ("ValueError", 3, "during handling of", False),
    ]


def test_a_chain_without_marks_is_a_chain() -> None:
    """As raven sends it: what came first is the one to start with, and no cause is claimed."""
    values = [{"type": "A"}, {"type": "B"}, {"type": "C"}]
    assert tree(read_event({"exception": {"values": values}})) == [
        ("C", 0, "", False),
        ("B", 1, "behind it", False),
        ("A", 2, "behind it", True),
    ]
    assert [one.read_first for one in read_event({"exception": values[:1]}).failures] == [False]


@pytest.mark.parametrize(
    "mechanisms",
    [
        [{"exception_id": 0, "parent_id": 0}, {"exception_id": 0, "parent_id": 0}],
        [{"exception_id": 1, "parent_id": 2}, {"exception_id": 2, "parent_id": 1}],
        [{"exception_id": True, "parent_id": -1}, {"parent_id": "0", "source": ["exceptions[0]"]}],
        [{"exception_id": 10**30, "parent_id": 10**30}, {"exception_id": [], "parent_id": {}}],
        ["x", None],
    ],
)
def test_marks_that_go_round_make_no_circle(mechanisms: list[Any]) -> None:
    """Every exception is shown once."""
    values = [{"type": str(at), "mechanism": one} for at, one in enumerate(mechanisms)]
    event = read_event({"exception": {"values": [*values, {"type": "top"}]}})
    assert sorted(one.type for one in event.failures) == ["0", "1", "top"]


def test_a_chain_of_30_is_not_too_deep() -> None:
    """Nor is a longer one, of which the newest are shown."""
    values = [{"type": str(number)} for number in range(500)]
    event = read_event({"exception": {"values": values}})
    assert [one.depth for one in event.failures] == list(range(30))
    assert event.cut


def test_the_crash_and_each_failure_are_named_alike() -> None:
    """An aborted request by its place, wherever it is shown."""
    from werkzeug.exceptions import InternalServerError

    failure = {
        "type": "InternalServerError",
        "value": str(InternalServerError()),
        "stacktrace": {"frames": [frame("gift_cards"), frame("abort", ours=False)]},
    }
    event = read_event({"exception": {"values": [failure]}})
    assert event.title == event.failures[0].title == ("abort(500)", "in gift_cards")


def test_no_fact_is_shown_twice() -> None:
    """raven's and the kit's user has name and all under ``data`` as well; so have breadcrumbs."""
    user = {"id": "7", "username": "ada", "data": {"username": "ada", "plan": "gold", "id": "8"}}
    crumbs = [
        {"message": "paying", "data": {"message": "paying", "sum": 12}},
        {"data": "a text"},
    ]
    event = read_event({"user": user, "breadcrumbs": {"values": crumbs}})
    assert event.user == (("id", "7"), ("username", "ada"), ("plan", "gold"), ("data.id", "8"))
    first, second = event.breadcrumbs
    assert (first.message, first.data) == ("paying", (("sum", "12"),))
    assert (second.message, second.data) == ("a text", ())


@pytest.mark.parametrize(
    ("template", "params", "shown"),
    [
        ("stock of %s is %d%%", ["tea", 3], "stock of tea is 3%"),
        ("%(what)s: %(count).2f", {"what": "tea", "count": 3}, "tea: 3"),
        ("%s and %s", ["tea"], "tea and %s"),
        ("%999999999d", [1], "1"),
        ("%s", [{"a": 1}], "…"),
        ("100%", [], "100%"),
    ],
)
def test_a_message_is_shown_with_its_arguments(template: str, params: Any, shown: str) -> None:
    """raven sends them apart. No format makes a text of any length."""
    entry = {"message": template, "params": params}
    assert read_event({"sentry.interfaces.Message": entry}).value == shown


def test_runs_are_by_owner() -> None:
    """So that libraries fold."""
    event = crash(frame("wsgi", ours=False), frame("view"), frame("dump", ours=False))
    runs = [(ours, len(frames)) for ours, frames in by_owner(event.failures[0].frames)]
    assert runs == [(False, 1), (True, 1), (False, 1)]
