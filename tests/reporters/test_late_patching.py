"""If gevent patches after the kit is set up, each greenlet still has its own context."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

_APP = textwrap.dedent(
    """
    import logging, sys, warnings
    from flask import Flask
    from flask_sentry_kit import Sentry, sentry

    app = Flask("shop")
    app.config["SENTRY_CONFIG"] = {"enable_breadcrumbs": True, "hook_libraries": []}
    reporter = Sentry(app, dsn=sys.argv[1], logging=True, level=logging.ERROR)
    reporter.client.tags_context({"who": "before"})

    warnings.filterwarnings("ignore", "Monkey-patching ssl")
    from gevent import monkey; monkey.patch_all(); import gevent
    import raven.breadcrumbs
    """
)


def _run(script: str, dsn: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        # Written to a file, because code passed with -c does not count as the app's code.
        path = Path(folder, "shop_app.py")
        path.write_text(_APP + textwrap.dedent(script), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, str(path), dsn],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
    assert done.returncode == 0, done.stderr


def test_greenlets_outside_requests_do_not_share_their_context(wire: Any) -> None:
    """Tags that one greenlet sets are not in another greenlet's event."""
    _run(
        """
        def job(n):
            reporter.client.tags_context({"who": f"g{n}"})
            gevent.sleep(0.01)
            reporter.client.captureMessage(f"g{n}")
        gevent.joinall([gevent.spawn(job, n) for n in range(10)], raise_error=True)
        assert reporter.flush(10)
        """,
        wire.dsn,
    )
    events = wire.wait_for(10)
    assert len(events) == 10
    assert all(event["tags"]["who"] == event["message"] for event in events)


def test_an_event_that_is_being_made_keeps_no_other_greenlets_log_out(wire: Any) -> None:
    """While a repr waits, log records of other greenlets are events, but its own are not."""
    _run(
        """
        class Slow:
            def __repr__(self):
                logging.getLogger("shop.models").error("own")
                gevent.sleep(0.05)
                return "slow"

        def crash():
            value = Slow()
            with app.test_request_context("/"):
                try:
                    raise LookupError("crash")
                except LookupError:
                    reporter.captureException()

        def log():
            with app.test_request_context("/"):
                app.logger.error("other")

        jobs = [gevent.spawn(crash)]
        gevent.sleep(0.01)
        jobs.append(gevent.spawn(log))
        gevent.joinall(jobs, raise_error=True)
        assert reporter.flush(10)
        assert reporter.client.outbox.counters.dropped == 1
        """,
        wire.dsn,
    )
    messages = sorted(event["message"] for event in wire.wait_for(2))
    assert messages == ["LookupError: crash", "other"]


def test_ravens_breadcrumbs_go_on_when_another_request_ends(wire: Any) -> None:
    """The first request to end does not end raven's shared context for the other greenlets."""
    _run(
        """
        @app.get("/<float:wait>")
        def view(wait):
            gevent.sleep(wait)
            raven.breadcrumbs.record(message=f"after {wait}", category="shop")
            raise LookupError(str(wait))

        client = lambda wait: app.test_client().get(f"/{wait}")
        gevent.joinall([gevent.spawn(client, wait) for wait in (0.01, 0.1)], raise_error=True)
        assert reporter.flush(10)
        """,
        wire.dsn,
    )
    for event in wire.wait_for(2):
        crumbs = [crumb["message"] for crumb in event["breadcrumbs"]["values"]]
        assert f"after {event['message'].removeprefix('LookupError: ')}" in crumbs
