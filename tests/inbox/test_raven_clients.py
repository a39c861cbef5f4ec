"""raven 6.10 for Python and raven-js 3.27 send to the inbox, each as it is in its registry."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import raven
from flask import Flask, Response, send_file
from playwright.sync_api import Page
from raven.transport.http import HTTPTransport

from tests.support.inbox import RunningInbox

# raven asks datetime.utcnow(), at which Python 3.12 and newer warn.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:raven")

RAVEN_JS = Path(__file__).parents[1] / "js/node_modules/raven-js/dist/raven.js"


@pytest.fixture
def client(served: RunningInbox) -> raven.Client:
    """raven with a DSN that another Sentry gave out, of which the host was changed."""
    host = served.url.partition("://")[2]
    dsn = f"http://{'b' * 32}:{'c' * 32}@{host}/42"
    return raven.Client(dsn, transport=HTTPTransport, release="1.2.3", environment="staging")


def test_ravens_crash_and_message_arrive(served: RunningInbox, client: raven.Client) -> None:
    """With its stack and variables, the user, tags and breadcrumbs; raven packs them with
    deflate, and the inbox keeps them as they came."""
    client.user_context({"id": "u-7", "email": "ada@shop.example"})
    total = "café 😀"
    try:
        raise KeyError(total)
    except KeyError:
        crash = client.captureException(tags={"plan": "gold"}, extra={"cart": [1, 2]})
    message = client.captureMessage("no stock")
    assert not client.state.did_fail()
    event = served.api(f"events/{crash}")["event"]
    (failure,) = event["exception"]["values"]
    assert failure["type"] == "KeyError"
    assert failure["stacktrace"]["frames"][-1]["vars"]["total"] == repr(total)
    assert (event["user"]["id"], event["tags"]["plan"]) == ("u-7", "gold")
    assert event["project"] == "42"
    assert served.api(f"events/{message}")["event"]["message"] == "no stock"
    listed = [one["type"] for one in served.api("crashes")["crashes"]]
    assert sorted(listed) == ["KeyError", "Message"]


@pytest.mark.parametrize(
    ("drill", "says"), [("429", "429"), ("403", "403"), ("500", "500"), ("refuse", "Connection")]
)
def test_raven_sees_a_drill_as_a_failure(
    served: RunningInbox,
    client: raven.Client,
    caplog: pytest.LogCaptureFixture,
    drill: str,
    says: str,
) -> None:
    """As where a real server fails: it logs the error, sends nothing for a while, and the event is
    not kept."""
    served.server.app.extensions["sentry_kit_inbox"].drills.set([drill])
    with caplog.at_level(logging.ERROR, "sentry.errors"):
        client.captureMessage("no stock")
    assert client.state.did_fail()
    assert any(says in record.getMessage() for record in caplog.records)
    assert served.api("events")["events"] == []


@pytest.fixture
def shop(served: RunningInbox, serve: Callable[..., str], page: Page) -> Page:
    """A page with raven-js on another origin than the inbox."""
    assert RAVEN_JS.exists(), "raven-js is missing: make test brings it"
    app = Flask("shop")
    config = json.dumps({"release": "1.2.3", "environment": "staging"})

    @app.get("/")
    def index() -> str:
        return (
            "<!doctype html><html lang=en><title>Shop</title><link rel=icon href=data:,>"
            "<h1>Shop</h1><script src=/raven.js></script>"
            f"<script>Raven.config({json.dumps(served.dsn)}, {config}).install();"
            "Raven.setUserContext({id: 'u-7'});</script>"
        )

    @app.get("/raven.js")
    def script() -> Response:
        return send_file(RAVEN_JS)

    page.goto(serve(app))
    return page


def test_raven_jss_crash_and_words_arrive(served: RunningInbox, shop: Page) -> None:
    """An error that nobody catches, and what is written in its report dialog, which is ours."""
    with shop.expect_response(lambda answer: "/store/" in answer.url) as sent:
        shop.evaluate("setTimeout(() => { throw new TypeError('no sum'); })")
    assert sent.value.status == 200
    crash = shop.evaluate("Raven.lastEventId()")
    shop.evaluate("Raven.showReportDialog()")
    dialog = shop.get_by_role("dialog")
    dialog.locator("textarea").fill("I pressed pay")
    with shop.expect_response(lambda answer: answer.request.method == "POST") as posted:
        dialog.get_by_role("button", name="Send").click()
    assert posted.value.status == 200
    kept: Any = served.api(f"events/{crash}")
    (failure,) = kept["event"]["exception"]["values"]
    assert (failure["type"], failure["value"]) == ("TypeError", "no sum")
    assert kept["event"]["user"]["id"] == "u-7"
    assert [one["comments"] for one in kept["words"]] == ["I pressed pay"]
