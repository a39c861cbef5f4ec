""" "Try again" leads to the address that is shown in the visitor's browser."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Request
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_sentry_kit import sentry_kit


class PathWithMountPoint(Request):
    """As in CTFd: the mount point is put in front of the path."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.path = self.script_root + self.path


class WithoutLanguage:
    """Middleware that takes the language off the path."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __call__(self, environ: Any, start_response: Any) -> Any:
        environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix("/en")
        return self._inner(environ, start_response)


def alone(app: Flask) -> Any:
    return app


def mounted(app: Flask) -> Any:
    return DispatcherMiddleware(Flask("outer"), {"/shop": app})


def mounted_in_itself(app: Flask) -> Any:
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/shop": app})  # type: ignore[method-assign]
    return app


def behind_a_proxy(app: Flask) -> Any:
    app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1)  # type: ignore[method-assign]
    return app


def without_language(app: Flask) -> Any:
    app.wsgi_app = WithoutLanguage(app.wsgi_app)  # type: ignore[method-assign]
    return app


@pytest.mark.parametrize("kind", [Request, PathWithMountPoint])
@pytest.mark.parametrize(
    ("around", "asked", "browsers", "events"),
    [
        (alone, "/boom/a%2Fb", "/boom/a%2Fb", "/boom/a/b"),
        (mounted, "/shop/boom/a%2Fb", "/shop/boom/a%2Fb", "/shop/boom/a/b"),
        (mounted_in_itself, "/shop/boom/a%2Fb", "/shop/boom/a%2Fb", "/shop/boom/a/b"),
        (behind_a_proxy, "/boom/a%2Fb", "/shop/boom/a%2Fb", "/shop/boom/a/b"),
        (without_language, "/en/boom/a%2Fb", "/en/boom/a%2Fb", "/boom/a/b"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_it_is_the_address_that_the_browser_asked_for(
    kit_app: Any,
    wire: Any,
    serve: Callable[..., str],
    kind: type[Request],
    around: Callable[[Flask], Any],
    asked: str,
    browsers: str,
    events: str,
) -> None:
    """Under a prefix, behind a proxy and middleware, and with any override of Request.path;
    the event's address has the mount point once, too."""
    app = kit_app()
    app.request_class = kind

    @app.get("/boom/<path:where>")
    def crash_there(where: str) -> str:
        raise ValueError(where)

    host = serve(around(app))
    visit = urllib.request.Request(
        f"{host}{asked}?page=2", headers={"Accept": "text/html", "X-Forwarded-Prefix": "/shop"}
    )
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(visit, timeout=10)
    html = answer.value.read().decode()
    assert re.findall(r'href="([^"]*)">Try again', html) == [f"{browsers}?page=2"]
    assert wire.one_event(app)["request"]["url"] == f"{host}{events}"


def test_the_kits_own_files_are_found_whatever_request_path_is(wire: Any) -> None:
    """On an app with hosts, whose routes the kit looks up itself, under a prefix."""
    app = Flask("shop", host_matching=True, static_host="shop.example", static_folder="static")
    app.config.update(SENTRY_DSN=wire.dsn, SECRET_KEY="k")
    app.request_class = PathWithMountPoint
    app.register_blueprint(sentry_kit)
    try:
        with app.test_client().get(
            "/_sentry_kit/static/dialog.js", base_url="http://shop.example/mounted"
        ) as answer:
            assert answer.status_code == 200
    finally:
        app.extensions["sentry_kit"].outbox.close(1)
