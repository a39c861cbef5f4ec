"""Makes real events of sentry-sdk, as ``before_send`` gets them, with a secret in every place.

``python -m tests.event.sdk_events`` prints them as JSON. The file beside this one is what 2.0.0
prints, the oldest supported release::

    pip install --no-deps --target OLD sentry-sdk==2.0.0
    PYTHONPATH=OLD python -m tests.event.sdk_events > tests/event/sdk_events_2.0.0.json
"""

from __future__ import annotations

import http.client
import json
import logging
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask, request
from werkzeug.serving import WSGIRequestHandler

from tests.support.serving import serving

ROOT = Path(__file__).parents[2]
SECRET = "Zq9hunter2X"
"""All secrets begin with this; the place follows."""
_FRAMES = 3
"""Frames kept of each stack, the innermost ones."""


@dataclass
class _Login:
    user: str
    password: str


class _Quiet(WSGIRequestHandler):
    def log(self, *args: Any, **options: Any) -> None:
        pass


def _answer(environ: Any, start_response: Any) -> list[bytes]:
    start_response("204 No Content", [])
    return []


def _secret(place: str) -> str:
    return f"{SECRET}{place}"


def _trail(database: Any, port: int) -> None:
    """Real breadcrumbs and spans: a statement with parameters, a request to another server."""
    import sqlalchemy

    with database.connect() as connection:
        connection.execute(
            sqlalchemy.text("INSERT INTO users (name, password) VALUES (:one, :two)"),
            {"one": "bob", "two": _secret("Parameter")},
        )
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    client.request("GET", f"/reset/{_secret('Path')}?page=2&token={_secret('Query')}")
    client.getresponse().read()
    client.close()
    logging.getLogger("shop").info("trying password=%s", _secret("Crumb"))


def _app(sdk: Any, port: int) -> Flask:
    import sqlalchemy

    database = sqlalchemy.create_engine("sqlite://")
    with database.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE users (name TEXT, password TEXT)"))
    app = Flask("stall")
    app.logger.disabled = True

    @app.post("/crash/<token>")
    def crash(token: str) -> str:
        request.get_data()
        _trail(database, port)
        sdk.set_tag("api_key", _secret("Tag"))
        sdk.set_user({"id": 5, "email": "bob@example.org", "pin": _secret("User")})
        sdk.set_context("order", {"number": 7, "deep": {"token": _secret("Context")}})
        sdk.set_extra("held", {"name": "bob", "password": _secret("Extra")})
        password = _secret("Local")
        held = {"page": 2, "config": [{"secret_key": _secret("Nested")}]}
        login = _Login("bob", _secret("Object"))
        header = ("X-Api-Key", _secret("Pair"))
        body = b"amount=12&password=" + _secret("Bytes").encode()
        pin = "Zq9hunter2XLiteral"  # the lines of source are sent too
        try:
            raise ValueError(f"password={_secret('Chained')}")
        except ValueError as error:
            text = f"no user for {password!r}, {len(held)}"
            del token
            raise KeyError(text, login.user, header[0], body[:2], pin[:0]) from error

    @app.get("/log")
    def log() -> str:
        logging.getLogger("shop").error(
            "%s came with password=%s", "bob", _secret("Param"), extra={"token": _secret("Record")}
        )
        sdk.capture_message(f"signed in with token={_secret('Message')}")
        return ""

    return app


def _crash(client: Any, path: str, **options: Any) -> None:
    headers = {
        "Authorization": f"Bearer {_secret('Bearer')}",
        "Cookie": f"theme=dark; session={_secret('Cookie')}",
        "X-Api-Key": _secret("Header"),
        "Referer": f"http://localhost/x?token={_secret('Referer')}",
    }
    client.post(f"{path}?page=2&password={_secret('Asked')}", headers=headers, **options)


def record() -> dict[str, Any]:
    """The events by name, and what the SDK sends after ``noted_secrets`` and its own scrubber."""
    import sentry_sdk
    from sentry_sdk.integrations.flask import FlaskIntegration
    from sentry_sdk.integrations.sqlalchemy import SqlalchemyIntegration

    from flask_sentry_kit.event.noted_secrets import noted_secrets
    from flask_sentry_kit.event.scrub import Scrubber
    from flask_sentry_kit.event.scrub_event import scrub_event

    found: list[dict[str, Any]] = []

    def keep(event: Any, hint: Any) -> None:
        found.append(json.loads(json.dumps(event)))

    sentry_sdk.init(
        dsn="http://public@127.0.0.1:9/1",
        send_default_pii=True,
        attach_stacktrace=True,
        traces_sample_rate=1.0,
        before_send=keep,
        before_send_transaction=keep,
        event_scrubber=None,
        shutdown_timeout=0,
        auto_session_tracking=False,
        release="1.0",
        server_name="host",
        auto_enabling_integrations=False,
        integrations=[FlaskIntegration(transaction_style="url"), SqlalchemyIntegration()],
        _experiments={"record_sql_params": True},
    )
    options = sentry_sdk.get_client().options
    own, options["event_scrubber"] = options["event_scrubber"], None
    scrubber = Scrubber()

    noted: dict[str, Any] = {}

    class Noting:
        def scrub_event(self, event: Any) -> None:
            noted[event["event_id"]] = noted_secrets(event, scrubber)
            own.scrub_event(event)

    logging.getLogger("shop").setLevel(logging.INFO)
    logging.getLogger().addHandler(logging.NullHandler())
    with serving(_answer, request_handler=_Quiet) as port:
        client = _app(sentry_sdk, port).test_client(use_cookies=False)
        path = f"/crash/{_secret('Rule')}"
        _crash(client, path, json={"user": {"password": _secret("JSON")}})
        _crash(client, path, data={"password": _secret("Form"), "a": "b"})
        client.get("/log")
        options["event_scrubber"] = Noting()
        _crash(client, path, json={"password": _secret("JSON")})
    crash, form, log, message, filtered = (one for one in found if "type" not in one)
    transaction = next(one for one in found if one.get("type") == "transaction")
    scrubbed = json.loads(json.dumps(filtered))
    # 2.0 leaves out its scrubber with send_default_pii, and then removes nothing.
    scrub_event(scrubbed, scrubber, noted=noted.get(filtered["event_id"]))
    return {
        "version": sentry_sdk.VERSION,
        "crash": crash,
        "form": form,
        "log": log,
        "message": message,
        "transaction": transaction,
        "filtered": filtered,
        "scrubbed": scrubbed,
    }


def _shorten(event: dict[str, Any]) -> None:
    for name in ("modules", "_meta"):
        event.pop(name, None)
    for name in ("exception", "threads"):
        for value in event.get(name, {}).get("values", ()):
            del value["stacktrace"]["frames"][:-_FRAMES]


def main() -> None:
    import sentry_sdk

    found = record()
    for event in found.values():
        if isinstance(event, dict):
            _shorten(event)
    lines = [f"{json.dumps(name)}: {json.dumps(event)}" for name, event in found.items()]
    text = "{\n" + ",\n".join(lines) + "\n}"
    stdlib = sysconfig.get_path("stdlib")  # what it becomes is a library on any machine
    sdk = Path(sentry_sdk.__file__).parents[1]
    for folder, name in (
        (sdk, "/site-packages"),
        (sys.prefix, "/venv"),
        (stdlib, "/python/site-packages"),
    ):
        text = text.replace(str(folder), name)
    print(text.replace(str(ROOT), "/app"))


if __name__ == "__main__":
    main()
