"""One app with one reporter, in a process of its own, which measures itself on command.

``python -m benchmarks.contender <name> <dsn>`` reads commands from standard input and answers
each with one line of JSON: ``time <path> <calls>`` with nanoseconds of each call,
``rss`` with bytes.
"""

from __future__ import annotations

import gc
import json
import logging
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, g, render_template
from jinja2 import DictLoader
from werkzeug.test import EnvironBuilder

NAMES = ("bare", "raven", "ours", "sentry-sdk", "sentry-sdk, kit")

# As raven's and sentry-sdk's documentation have it.
PAGE = """<!doctype html>
<title>Error 500</title>
<h1>Error 500</h1>
<script src="https://cdn.ravenjs.com/3.27.2/raven.min.js"></script>
{% if event_id %}
<script>
Raven.showReportDialog({eventId: '{{ event_id }}', dsn: '{{ public_dsn }}'});
</script>
{% endif %}
"""


def _deep(left: int, basket: dict[str, int], customer: str) -> float:
    total = sum(basket.values())
    if not left:
        return total / left
    return _deep(left - 1, basket, customer)


def shop() -> Flask:
    """The app that all contenders share: healthy, crashing at once, crashing 42 frames deep."""
    app = Flask("shop")
    app.secret_key = "benchmark"

    @app.route("/")
    def home() -> str:
        return "fine"

    @app.route("/crash")
    def crash() -> str:
        basket = {"lamp": 3, "chair": 2}
        return str(basket["table"])

    @app.route("/deep")
    def deep() -> str:
        # 36 of these, the view, and what Flask adds: 42 frames.
        return str(_deep(35, {"lamp": 3, "chair": 2}, "ada"))

    return app


def _raven(app: Flask, dsn: str) -> None:
    from raven.contrib.flask import Sentry

    app.jinja_loader = DictLoader({"500.html": PAGE})
    sentry = Sentry(app, dsn=dsn)

    @app.errorhandler(500)
    def internal_server_error(error: object) -> tuple[str, int]:
        return render_template(
            "500.html", event_id=g.sentry_event_id, public_dsn=sentry.client.get_public_dsn()
        ), 500


def _ours(app: Flask, dsn: str) -> None:
    from flask_sentry_kit import sentry_kit

    app.config["SENTRY_DSN"] = dsn
    app.register_blueprint(sentry_kit)


def _sentry_sdk_kit(app: Flask) -> None:
    from flask_sentry_kit import sentry_kit

    app.register_blueprint(sentry_kit)


def _sentry_sdk(app: Flask) -> None:
    import sentry_sdk

    app.jinja_loader = DictLoader({"500.html": PAGE})

    @app.errorhandler(500)
    def internal_server_error(error: object) -> tuple[str, int]:
        return render_template("500.html", event_id=sentry_sdk.last_event_id(), public_dsn=""), 500


def build(name: str, dsn: str) -> Flask:
    """The app with the reporter of that name."""
    if name.startswith("sentry-sdk"):
        # It patches Flask, so it comes before the app.
        import sentry_sdk

        sentry_sdk.init(dsn=dsn)
    made = shop()
    if name == "raven":
        _raven(made, dsn)
    elif name == "ours":
        _ours(made, dsn)
    elif name == "sentry-sdk":
        _sentry_sdk(made)
    elif name == "sentry-sdk, kit":
        _sentry_sdk_kit(made)
    # Flask's own report of each crash goes nowhere; formatting it would cost all of them the same.
    logging.getLogger().addHandler(logging.NullHandler())
    return made


def caller(app: Flask, path: str) -> Callable[[], None]:
    """Calls the app as a server does, and nothing more."""
    environ = EnvironBuilder(path=path, headers=[("Accept", "text/html")]).get_environ()

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        return None

    def call() -> None:
        body: Iterable[bytes] = app(dict(environ), start_response)
        for _ in body:
            pass
        close = getattr(body, "close", None)
        if close is not None:
            close()

    return call


def times(call: Callable[[], None], calls: int) -> list[int]:
    """Nanoseconds of each call, of elapsed time."""
    clock = time.perf_counter_ns
    taken = []
    for _ in range(calls):
        began = clock()
        call()
        taken.append(clock() - began)
    return taken


def rss() -> int:
    """Bytes of memory this process holds (Linux)."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def main() -> None:
    name, dsn = sys.argv[1:]
    app = build(name, dsn)
    # The collector runs as in production, but does not walk what was there before the first call.
    gc.collect()
    gc.freeze()
    calls: dict[str, Callable[[], None]] = {}
    print("ready", flush=True)
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "time":
            path, count = rest
            call = calls.setdefault(path, caller(app, path))
            print(json.dumps(times(call, int(count))), flush=True)
        elif word == "rss":
            gc.collect()
            print(json.dumps(rss()), flush=True)


if __name__ == "__main__":
    main()
