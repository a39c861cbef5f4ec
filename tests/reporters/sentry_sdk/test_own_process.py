"""What needs a process that has done nothing else: what is imported, gevent, and an SDK whose Flask
integration has never been set up."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from tests.support.sentry import RecordingSentry
from tests.watch.ways import types_of

ROOT = Path(__file__).parents[3]

APP = """
    import json, re, sys
    import sentry_sdk
    from flask import Flask
    from flask_sentry_kit import sentry_kit

    app = Flask("shop")
    app.secret_key = "k"
    app.config["SENTRY_USER_ATTRS"] = ["email"]
    app.add_url_rule("/", "front", lambda: "fine")
    HTML = {"Accept": "text/html"}
"""


def run(script: str, dsn: str) -> Any:
    """Run a script in a process of its own, with this one's environment; returns what it printed,
    which is JSON."""
    code = textwrap.dedent(script)
    done = subprocess.run(
        [sys.executable, "-c", code, dsn], cwd=ROOT, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_nothing_of_raven_is_imported(wire: RecordingSentry) -> None:
    """Not for a healthy request, a crash and a visitor's words, apart from the kit's own check of
    SENTRY_CONFIG, which comes before ``init`` here. The SDK has none of its own Flask integration,
    and the page shows the id of the one event."""
    found = run(
        APP
        + """
    app.register_blueprint(sentry_kit)
    sentry_sdk.init(sys.argv[1], auto_enabling_integrations=False)
    app.add_url_rule("/x", "x", lambda: str(1 / 0))
    client = app.test_client()
    assert client.get("/").text == "fine"
    page = client.get("/x", headers=HTML)
    token = re.search(r'name="token" value="([^"]+)"', page.text)[1]
    answer = client.post("/_sentry_kit/feedback", data={"token": token, "comments": "It broke."})
    assert answer.status_code == 303, answer.text
    assert app.extensions["sentry"].flush(10)
    names = [name for name in sys.modules if name.split(".")[0] == "raven" or ".raven" in name]
    print(json.dumps([page.headers["X-Sentry-ID"], names, "sentry_sdk.integrations.flask" in
                      sys.modules]))
    """,
        wire.dsn,
    )
    [event] = wire.wait_for(1)
    checked = {"flask_sentry_kit.reporters.raven", "flask_sentry_kit.reporters.raven.options"}
    id, names, has_integration = found
    assert (id, set(names) - checked, has_integration) == (event["event_id"], set(), False)
    assert [report.query["eventId"] for report in wire.reports] == [event["event_id"]]


def test_a_stand_in_imports_nothing(wire: RecordingSentry) -> None:
    """Before the first request neither raven nor sentry-sdk is loaded for an app with a DSN."""
    found = run(
        """
    import json, sys
    from flask import Flask
    from flask_sentry_kit import sentry_kit

    app = Flask("shop")
    app.config["SENTRY_DSN"] = sys.argv[1]
    app.register_blueprint(sentry_kit)
    before = sorted({name.split(".")[0] for name in sys.modules} & {"raven", "sentry_sdk"})
    app.test_client().get("/")
    after = sorted({name.split(".")[0] for name in sys.modules} & {"raven", "sentry_sdk"})
    print(json.dumps([before, after]))
    """,
        wire.dsn,
    )
    assert found == [[], ["raven"]]


def test_each_greenlet_shows_the_id_of_its_own_crash(wire: RecordingSentry) -> None:
    """gevent runs all requests in one thread; each waits between its first event and its crash."""
    shown = run(
        "    from gevent import monkey; monkey.patch_all(); import gevent\n"
        + APP
        + """
    sentry_sdk.init(sys.argv[1])
    app.register_blueprint(sentry_kit)

    @app.get("/<number>")
    def crash(number):
        sentry_sdk.capture_message(number)
        gevent.sleep(0.01)
        try:
            raise LookupError(number)
        except LookupError:
            with sentry_sdk.isolation_scope():
                gevent.sleep(0.01)
                sentry_sdk.capture_exception()
            raise

    def visit(number):
        answer = app.test_client().get(f"/{number}", headers=HTML)
        assert answer.headers["X-Sentry-ID"] in answer.text
        return str(number), answer.headers["X-Sentry-ID"]

    jobs = [gevent.spawn(visit, number) for number in range(8)]
    gevent.joinall(jobs, raise_error=True)
    sentry_sdk.flush(10)
    print(json.dumps(dict(job.value for job in jobs)))
    """,
        wire.dsn,
    )
    crashes = [event for event in wire.wait_for(16) if "exception" in event]
    assert [types_of(event) for event in crashes] == [["LookupError"]] * 8
    arrived = {event["exception"]["values"][0]["value"]: event["event_id"] for event in crashes}
    assert arrived == shown and len(wire.events) == 16
