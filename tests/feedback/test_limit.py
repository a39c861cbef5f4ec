"""How many reports one visitor may send (feedback/limit.py)."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_sentry_kit import limit_feedback
from flask_sentry_kit.feedback.limit import AddressLimit, address_of
from flask_sentry_kit.settings import Rate, SettingError, read_settings
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeApp, Visit


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What time it is for the limit; the one number can be changed."""
    now = [1_000.0]
    monkeypatch.setattr("flask_sentry_kit.feedback.limit.time.monotonic", lambda: now[0])
    return now


def test_so_many_in_a_time_and_no_more(clock: list[float]) -> None:
    """When the window that the first one began has passed, it begins anew."""
    limit = AddressLimit(Rate(3, 60))
    assert [limit.seconds_to_wait("a") for _ in range(5)] == [0, 0, 0, 60, 60]
    clock[0] += 45
    assert limit.seconds_to_wait("a") == 15
    clock[0] += 15
    assert [limit.seconds_to_wait("a") for _ in range(4)] == [0, 0, 0, 60]


def test_addresses_do_not_share_a_limit(clock: list[float]) -> None:
    """One visitor's reports are not counted for another."""
    limit = AddressLimit(Rate(1, 60))
    assert [limit.seconds_to_wait(who) for who in ("a", "b", "a", "b")] == [0, 0, 60, 60]


def test_what_is_remembered_is_bounded(clock: list[float]) -> None:
    """However many addresses write, a fixed number is kept: who wrote longest ago goes first."""
    limit = AddressLimit(Rate(1, 60), size=100)
    for number in range(10_000):
        limit.seconds_to_wait(f"10.0.{number >> 8}.{number & 255}")
    assert len(limit) == 100
    assert limit.seconds_to_wait("10.0.39.15") == 60
    assert limit.seconds_to_wait("10.0.0.0") == 0


def test_threads_together_pass_so_many() -> None:
    """No report is lost in the count, however many visitors send at the same moment."""
    limit = AddressLimit(Rate(100, 3600))
    passed: list[float] = []

    def send() -> None:
        passed.extend(limit.seconds_to_wait("a") for _ in range(100))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert passed.count(0) == 100


@pytest.mark.parametrize(
    ("remote", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:50123", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]:50123", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", None),
        ("unix:", None),
        ("unknown", None),
        ("x" * 1_000_000, None),
    ],
)
def test_who_is_counted(remote: str, counted: str | None) -> None:
    """By IPv4 address, and by the /64 that an IPv6 subscriber has at least; a Unix socket has no
    address."""
    assert address_of({"REMOTE_ADDR": remote}) == counted


@given(st.text(max_size=30) | st.ip_addresses().map(str))
def test_no_address_raises(remote: str) -> None:
    """Whatever a server or a proxy calls an address."""
    address_of({"REMOTE_ADDR": remote})


@pytest.mark.parametrize(
    "value", [20, "20", "20/week", "0/minute", "-1/minute", "1/2/day", "", True]
)
def test_a_limit_that_cannot_be_is_refused(value: Any) -> None:
    """At registration, with what the setting takes."""
    with pytest.raises(SettingError, match="SENTRY_KIT_FEEDBACK_LIMIT takes .*minute"):
        read_settings({"SENTRY_KIT_FEEDBACK_LIMIT": value})


def test_what_a_limit_says() -> None:
    """20 a minute, unless it is set; None is none."""
    assert read_settings({}).feedback_limit == Rate(20, 60)
    assert read_settings({"SENTRY_KIT_FEEDBACK_LIMIT": "5/hour"}).feedback_limit == Rate(5, 3600)
    assert read_settings({"SENTRY_KIT_FEEDBACK_LIMIT": "5/day"}).feedback_limit == Rate(5, 86_400)
    assert read_settings({}, {"feedback_limit": "1/second"}).feedback_limit == Rate(1, 1)
    assert read_settings({"SENTRY_KIT_FEEDBACK_LIMIT": None}).feedback_limit is None


Statuses = Callable[..., list[int]]


@pytest.fixture
def statuses(crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry) -> Statuses:
    """What becomes of three reports where one an hour is let through."""

    def send(
        *headers: dict[str, str], limit: str | None = "1/hour", fix: dict[str, int] | None = None
    ) -> list[int]:
        app: Flask = crashing_app(SENTRY_DSN=sentry.dsn, SENTRY_KIT_FEEDBACK_LIMIT=limit)
        if fix:
            app.wsgi_app = ProxyFix(app.wsgi_app, **fix)  # type: ignore[method-assign]
        visitor = visit(app)
        found = []
        for number in range(3):
            more = headers[number % len(headers)] if headers else {}
            answer = visitor.send(visitor.crash(), headers=more, comments=f"Words {number}")
            found.append(answer.status)
        return found

    return send


def test_one_visitor_cannot_send_without_limit(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry
) -> None:
    """A visitor who has sent enough gets the words back, and when to come again; nothing more
    reaches Sentry. The page's script gets the same answer."""
    visitor = visit(crashing_app(SENTRY_DSN=sentry.dsn, SENTRY_KIT_FEEDBACK_LIMIT="2/hour"))
    for _ in range(2):
        assert visitor.send(visitor.crash(), comments="Words").status == 303
    answer = visitor.send(visitor.crash(), comments="Words too many")
    assert answer.status == 429
    assert 3500 < int(answer.headers["Retry-After"]) <= 3600
    assert "too many came from here" in answer.text
    assert answer.typed["comments"] == "Words too many"
    answer = visitor.send(visitor.crash(), json=True, comments="Words too many")
    assert answer.status == 429 and json.loads(answer.text)["outcome"] == "refused"
    assert len(sentry.reports) == 2


def test_none_is_no_limit(statuses: Statuses) -> None:
    """SENTRY_KIT_FEEDBACK_LIMIT=None."""
    assert statuses(limit=None) == [303, 303, 303]


def test_behind_a_proxy_visitors_are_counted_each(statuses: Statuses) -> None:
    """With ProxyFix every visitor has an address of their own."""
    ada, bob = {"X-Forwarded-For": "203.0.113.7"}, {"X-Forwarded-For": "203.0.113.8"}
    assert statuses(ada, bob, ada, fix={"x_for": 1}) == [303, 303, 429]


@pytest.mark.parametrize("fix", [None, {"x_for": 0, "x_proto": 1}])
@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Forwarded-Proto"])
def test_where_all_visitors_share_an_address_nobody_is_limited(
    statuses: Statuses, caplog: pytest.LogCaptureFixture, name: str, fix: dict[str, int] | None
) -> None:
    """Forwarded headers without ProxyFix (or with one that leaves the address): one visitor's
    reports would shut out all others. The log says so once, and what to do."""
    with caplog.at_level(logging.WARNING, "flask_sentry_kit"):
        assert statuses({name: "203.0.113.7"}, fix=fix) == [303, 303, 303]
    said = [record for record in caplog.records if "ProxyFix" in record.getMessage()]
    assert len(said) == 1


def test_the_apps_own_limiter_is_asked_as_well(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry
) -> None:
    """limit_feedback() stands beside the setting, at the top of the package."""
    app = crashing_app(SENTRY_DSN=sentry.dsn, SENTRY_KIT_FEEDBACK_LIMIT="1/hour")
    asked = []
    limit_feedback(app, lambda view: lambda: asked.append(view))
    visitor = visit(app)
    sent = [visitor.send(visitor.crash(), comments="Words").status for _ in range(2)]
    assert sent == [303, 429]
    assert len(asked) == 1
