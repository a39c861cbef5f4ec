"""The app that is attacked: with the kit, or by the recipe in raven's documentation.

``python -m tests.attacks.shop SERVER FD`` serves it from a socket that is bound already, in a
process of its own. ``ATTACKED`` in the environment says how it is made.
"""

from __future__ import annotations

import builtins
import json
import logging
import os
import socket
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from flask import Flask, g, render_template_string, request
from werkzeug.middleware.proxy_fix import ProxyFix

SECRET_KEY = "the same in every app of these tests"

# As raven's documentation has it.
RECIPE = """
<script src="https://cdn.ravenjs.com/2.3.0/raven.min.js"></script>

{% if event_id %}
  <script>
  Raven.showReportDialog({
    eventId: '{{ event_id }}',
    dsn: '{{ public_dsn }}'
  });
  </script>
{% endif %}
"""

OPTIONS: dict[str, Callable[[Flask], None]] = {}
"""Ways to make the app other than plain."""


class Broken(Exception):
    """The crash."""


class Slow:
    """Takes its time to say what it is."""

    def __repr__(self) -> str:
        time.sleep(0.2)
        return "<Slow>"


class RenderLimitExceeded:
    """Every attribute, item and length of it leads to another one."""

    def __getattr__(self, name: str) -> RenderLimitExceeded:
        return RenderLimitExceeded()

    def __getitem__(self, key: object) -> RenderLimitExceeded:
        return RenderLimitExceeded()

    def __len__(self) -> int:
        return 10**12

    def __repr__(self) -> str:
        return "x" * 5_000_000


def _deep(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


def _cyclic() -> dict[str, Any]:
    found: dict[str, Any] = {}
    found |= {f"name{number}": found for number in range(1000)}
    found["list"] = [found] * 1000
    return found


LOCALS: dict[str, Callable[[], Any]] = {
    "a list of 3 million": lambda: list(range(3_000_000)),
    "a text of 50 MB": lambda: "eyJ-" * 12_500_000,
    "bytes of 50 MB": lambda: b"\x00" * 50_000_000,
    "a dict of a million": lambda: {f"key{number}": number for number in range(1_000_000)},
    "cyclic": _cyclic,
    "10,000 levels": lambda: _deep(10_000),
    "slow reprs": lambda: [Slow() for _ in range(4)],
    "no end": lambda: [RenderLimitExceeded() for _ in range(20)],
    "half surrogates": lambda: {"\ud800": "\udfff" * 1000},
    "a million digits": lambda: 7**1_200_000,
    "pages of assignments": lambda: "password=" * 500_000,
}
_made: dict[str, Any] = {}


def make_shop(who: str, dsn: str, options: tuple[str, ...] = (), name: str = "shop") -> Flask:
    # Before Flask asks for the logger, to which it would add a handler of its own.
    logging.getLogger(name).addHandler(logging.NullHandler())
    app = Flask(name)
    app.config["SECRET_KEY"] = SECRET_KEY
    app.logger.setLevel(logging.DEBUG)
    _routes(app)
    for option in options:
        OPTIONS[option](app)
    if who == "raven":
        _follow_recipe(app, dsn)
    else:
        from flask_sentry_kit import SentryKit

        app.config["SENTRY_DSN"] = dsn
        app.register_blueprint(SentryKit())
    return app


def _follow_recipe(app: Flask, dsn: str) -> None:
    warnings.simplefilter("ignore")  # raven's own are not what is attacked
    from raven.contrib.flask import Sentry

    sentry = Sentry(app, dsn=dsn)

    @app.errorhandler(500)
    def internal_server_error(error: object) -> tuple[str, int]:
        public_dsn = sentry.client.get_public_dsn()
        page = render_template_string(RECIPE, event_id=g.sentry_event_id, public_dsn=public_dsn)
        return page, 500


def option(name: str) -> Callable[[Callable[[Flask], None]], Callable[[Flask], None]]:
    def enter(make: Callable[[Flask], None]) -> Callable[[Flask], None]:
        OPTIONS[name] = make
        return make

    return enter


@option("behind a proxy")
def _proxied(app: Flask) -> None:
    app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1)  # type: ignore[method-assign]


def _routes(app: Flask) -> None:
    both = ["GET", "POST"]

    @app.get("/healthy")
    def healthy() -> str:
        return "fine"

    @app.route("/crash", methods=both)
    @app.route("/crash/<path:tail>", methods=both)
    def crash(tail: str = "") -> str:
        raise Broken("the shop is broken")

    @app.post("/form")
    def form() -> str:
        fields = request.form
        raise Broken(f"{len(fields)} fields")

    @app.post("/json")
    def takes_json() -> str:
        data = request.get_json()
        raise Broken(f"a {type(data).__name__}")

    @app.get("/make/<kind>")
    def make(kind: str) -> str:
        _made[kind] = LOCALS[kind]()
        return "made"

    @app.get("/locals/<kind>")
    def hostile_locals(kind: str) -> str:
        thing = _made[kind]
        raise Broken(f"a {type(thing).__name__}")

    @app.get("/message")
    def message() -> str:
        raise Broken(request.args["of"] * int(request.args["times"]))

    @app.get("/log")
    def log() -> str:
        text = request.args["of"] * int(request.args["times"])
        for _ in range(int(request.args["count"])):
            app.logger.debug(text)
            app.logger.debug("%s", text)
        raise Broken("after the log")

    @app.get("/surrogates")
    def surrogates() -> str:
        word = "\ud800word\udfff"
        raise type(word, (Broken,), {})(word)

    @app.get("/recursion")
    def recursion(level: int = 0) -> str:
        return recursion(level + 1)

    @app.get("/group")
    def group() -> str:
        raise _group(4, 12)

    @app.get("/nested")
    def nested() -> str:
        error: Any = Broken("in the middle")
        for _ in range(2_000):
            error = _group_of([error])
        raise error

    @app.get("/chain")
    def chain() -> str:
        first = error = Broken("0")
        for number in range(10_000):
            error.__context__ = Broken(str(number) * 100)
            error = error.__context__
        raise first

    # Not the kit's: routes that the measurement needs.

    @app.get("/hold")
    def hold() -> str:
        return str(sum(range(int(request.args["count"]))))  # one call in C keeps the interpreter

    @app.get("/swell")
    def swell() -> str:
        return str(len(b"x" * int(request.args["size"])))


def _group_of(errors: list[Exception]) -> Exception:
    made: Any = getattr(builtins, "ExceptionGroup", None)
    if made is None:
        error = Broken("no groups before Python 3.11")
        error.__cause__ = errors[0]
        return error
    grouped: Exception = made("several", errors)
    return grouped


def _group(levels: int, wide: int) -> Exception:
    if not levels:
        return Broken("one of many")
    return _group_of([_group(levels - 1, wide) for _ in range(wide)])


def application() -> Flask:
    """The app that gunicorn serves."""
    made = json.loads(os.environ["ATTACKED"])
    # Huge numbers are an attack here, and Python's own limit on their digits another matter.
    getattr(sys, "set_int_max_str_digits", lambda limit: None)(0)
    return make_shop(made["who"], made["dsn"], tuple(made["options"]))


def main() -> None:
    server, number = sys.argv[1], int(sys.argv[2])
    if server == "werkzeug":
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            def log(self, type: str, message: str, *args: Any) -> None:
                pass

        options = {"fd": number, "threaded": True, "request_handler": Quiet}
        make_server("127.0.0.1", 0, application(), **options).serve_forever()  # type: ignore[arg-type]
    else:
        import waitress

        waitress.serve(application(), sockets=[socket.socket(fileno=number)], _quiet=True)


if __name__ == "__main__":
    main()
