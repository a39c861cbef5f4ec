"""The fixtures in a suite of an app's, run by pytest's own tool for testing plugins."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

SHOP = """
from flask import Flask
from flask_sentry_kit import sentry_kit

def create_app(**config):
    app = Flask("shop")
    app.config.update(SECRET_KEY="k", **config)
    app.register_blueprint(sentry_kit)

    @app.get("/checkout")
    def checkout():
        return str(1 / 0)

    return app
"""

SUITE = """
from shop import create_app

def test_the_crash_is_reported_and_the_words_arrive(sentry_kit_reports):
    answer = create_app(TESTING=True).test_client().get("/checkout")
    event = sentry_kit_reports.one()
    page = sentry_kit_reports.page(answer)
    assert (event.type, page.event_id) == ("ZeroDivisionError", event.id)
    page.write("I pressed pay", name="Ann")
    assert [one.comments for one in sentry_kit_reports.words] == ["I pressed pay"]

def test_an_inbox_takes_it(sentry_kit_inbox):
    create_app(SENTRY_DSN=sentry_kit_inbox.dsn).test_client().get("/checkout")
    assert sentry_kit_inbox.wait_for_event().type == "ZeroDivisionError"

def test_two_crashes_are_not_one(sentry_kit_reports):
    client = create_app(TESTING=True).test_client()
    client.get("/checkout")
    client.get("/checkout")
    sentry_kit_reports.one()
"""


def test_an_apps_suite_says_what_is_reported(pytester: pytest.Pytester) -> None:
    """Exactly this event, this page, these words; in memory, and in a real inbox. What is not as
    it was said fails, with what there was."""
    pytester.makepyfile(shop=SHOP, test_shop=SUITE)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", timeout=50)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*Exactly one event*"])
