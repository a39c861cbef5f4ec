"""The app that is crashed: with the kit, or by the recipe in raven's or sentry-sdk's documentation.

``python -m tests.matrix.shop WHO DSN SPOOL`` serves it in a process of its own, to be killed.
A shop on sentry-sdk initialises it, which changes the process.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, urlsplit

from flask import Flask, Response, abort, g, render_template, render_template_string
from jinja2 import DictLoader
from werkzeug.serving import WSGIRequestHandler, make_server

from flask_sentry_kit import SentryKit
from tests.support.sentry_browser import MODULES, bundle

Who = Literal[
    "raven",
    "sentry-sdk",
    "kit",
    "kit, form alone",
    "kit, own page",
    "kit on sentry-sdk",
    "kit on sentry-sdk, form alone",
    "kit on sentry-sdk, own page",
]
RECIPES: tuple[Who, ...] = ("raven", "sentry-sdk")
ON_SDK: tuple[Who, ...] = tuple(who for who in get_args(Who) if "sentry-sdk" in who)
OURS: tuple[Who, ...] = ("kit", "kit, form alone", "kit, own page")
"""The kit on raven."""

ROOT = Path(__file__).resolve().parents[2]
RAVEN_JS = MODULES / "raven-js" / "dist"

# As raven's documentation has it, but for three favours: raven-js is the last release, the app
# serves it (the documented CDN is another host to block), and its script gets the app's nonce.
RECIPE = """
{% set nonce = ' nonce="%s"'|safe|format(csp_nonce()) if csp_nonce is defined else "" %}
<!doctype html>
<meta name="viewport" content="width=device-width">
<title>Error 500</title>
<h1>Sorry</h1>
<script src="{{ url_for('static', filename='raven.min.js') }}"{{ nonce }}></script>

{% if event_id %}
  <script{{ nonce }}>
  Raven.showReportDialog({
    eventId: '{{ event_id }}',
    dsn: '{{ public_dsn }}'
  });
  </script>
{% endif %}
"""
# As Sentry's documentation of its Python SDK has it, with the same favours: @sentry/browser is the
# last release, the app serves it as one script, and its scripts get the app's nonce.
SDK_RECIPE = """
{% set nonce = ' nonce="%s"'|safe|format(csp_nonce()) if csp_nonce is defined else "" %}
<!doctype html>
<meta name="viewport" content="width=device-width">
<title>Error 500</title>
<h1>Sorry</h1>
<script src="{{ url_for('static', filename='sentry.js') }}"{{ nonce }}></script>

{% if sentry_event_id %}
  <script{{ nonce }}>
  Sentry.init({ dsn: '{{ public_dsn }}' });
  Sentry.showReportDialog({ eventId: '{{ sentry_event_id }}' });
  </script>
{% endif %}
"""
# A page that an app has had for long, and one line of the kit's in it.
OWN_PAGE = """
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Oh no</title>
<h1>Oh no</h1>
{{ sentry_crash() }}
</html>
"""
BROKEN_TEMPLATE = "<h1>{{ shop.owner.name }}</h1>"
ORDER = """
<!doctype html>
<title>Order</title>
<form method="post">
<input type="hidden" name="csrf_token" value="{{ csrf_token() if csrf_token is defined }}">
<button>Order</button>
</form>
"""


class Broken(Exception):
    """The crash. Its text is the mark by which the judge knows it."""


def make_shop(
    who: Who,
    dsn: str,
    *,
    broken_template: bool = False,
    kit: dict[str, Any] | None = None,
    flask: dict[str, Any] | None = None,
    **config: Any,
) -> Flask:
    """A shop that crashes in several ways.

    :param broken_template: its own 500.html fails.
    :param kit: keywords of ``register_blueprint``.
    :param flask: keywords of ``Flask``.
    :param config: of the app.
    """
    app = Flask("shop", static_folder=str(RAVEN_JS), static_url_path="/static", **(flask or {}))
    app.config.update({"SECRET_KEY": "the same in every worker", **config})
    _routes(app, who)
    if who in RECIPES:
        page = RECIPE if who == "raven" else SDK_RECIPE
        app.jinja_loader = DictLoader(
            {"500.html": page + (BROKEN_TEMPLATE if broken_template else "")}
        )
        (_follow_recipe if who == "raven" else _follow_sdk_recipe)(app, dsn)
        return app
    if who in ON_SDK:
        _init_sdk(dsn)
    else:
        app.config["SENTRY_DSN"] = dsn
    if who.endswith("own page"):
        app.jinja_loader = DictLoader(
            {"oh_no.html": BROKEN_TEMPLATE if broken_template else OWN_PAGE}
        )
        app.register_error_handler(500, lambda error: (render_template("oh_no.html"), 500))
    elif broken_template:
        app.jinja_loader = DictLoader({"500.html": BROKEN_TEMPLATE})
    options = {"dialog": False} if who.endswith("form alone") else {}
    app.register_blueprint(SentryKit(**options), **(kit or {}))
    return app


def add_header(app: Flask, name: str, value: str) -> Flask:
    """Have an app send a header with every answer; returns the app."""

    @app.after_request
    def add(response: Response) -> Response:
        response.headers[name] = value
        return response

    return app


def _follow_recipe(app: Flask, dsn: str) -> None:
    from raven.contrib.flask import Sentry

    sentry = Sentry(app, dsn=dsn)

    @app.errorhandler(500)
    def internal_server_error(error: Any) -> tuple[str, int]:
        page = render_template(
            "500.html",
            event_id=g.sentry_event_id,
            public_dsn=sentry.client.get_public_dsn(),
        )
        return page, 500


def _init_sdk(dsn: str) -> str:
    """Initialise sentry-sdk with the DSN that Sentry shows today: it has no secret.

    :param dsn: raven's, whose query has options.
    :returns: the SDK's.
    """
    import sentry_sdk

    parts = urlsplit(dsn)
    public = f"{parts.scheme}://{parts.username}@{parts.netloc.rpartition('@')[2]}{parts.path}"
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    sentry_sdk.init(public, **options)
    return public


def _follow_sdk_recipe(app: Flask, dsn: str) -> None:
    import sentry_sdk

    public_dsn = _init_sdk(dsn)
    app.view_functions["static"] = lambda filename: Response(bundle(), mimetype="text/javascript")

    @app.errorhandler(500)
    def server_error_handler(error: Any) -> tuple[str, int]:
        event_id = sentry_sdk.last_event_id()
        page = render_template("500.html", sentry_event_id=event_id, public_dsn=public_dsn)
        return page, 500


def _routes(app: Flask, who: Who) -> None:
    @app.get("/")
    def home() -> str:
        return "fine"

    @app.get("/crash/<mark>")
    def crash(mark: str) -> Response:
        raise Broken(mark)

    @app.get("/captured/<mark>")
    def captured(mark: str) -> Response:
        try:
            raise Broken(mark)
        except Broken:
            if who in ON_SDK:
                import sentry_sdk

                sentry_sdk.capture_exception()
            else:
                # raven and the kit are found here, under the same name.
                app.extensions["sentry"].captureException()
            raise

    @app.get("/abort/<mark>")
    def aborting(mark: str) -> Response:
        abort(500)

    @app.get("/order/<mark>")
    def order(mark: str) -> str:
        return render_template_string(ORDER)

    @app.post("/order/<mark>")
    def ordered(mark: str) -> Response:
        raise Broken(mark)


class Quiet(WSGIRequestHandler):
    """A request handler that logs nothing."""

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


def main() -> None:
    who, dsn, spool = sys.argv[1:]
    config = {} if who in RECIPES else {"SENTRY_KIT_SPOOL": spool}
    app = make_shop(who, dsn, **config)  # type: ignore[arg-type]  # one of Who
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    os.write(1, f"{server.server_port}\n".encode())
    server.serve_forever()


if __name__ == "__main__":
    main()
