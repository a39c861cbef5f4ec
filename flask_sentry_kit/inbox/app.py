"""Puts the inbox together: one Flask app, its guards and its headers."""

from __future__ import annotations

import ipaddress
import os
import sqlite3
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import (
    BadHost,
    BadRequest,
    Forbidden,
    Gone,
    HTTPException,
    ServiceUnavailable,
)

from ..dsn import Dsn, DsnError
from . import api, clock, live
from .errors import DamagedEventError, InboxError
from .pages import event_page, list_page, words_page
from .pages.editor import Editor
from .pages.forwarding import Forwarder
from .paths import is_sentrys
from .project import Project
from .protocol import error_page, wire
from .protocol.body import MAX_WIRE
from .storage.store import KEEP_BYTES, KEEP_EVENTS, Store

# Only the inbox's own files are loaded, and no site may frame a page. An event or a visitor's words
# cannot bring a script, a style or an address that is loaded.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
    " img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_PARAMETERS = 100


def create_inbox(
    db_path: str | os.PathLike[str],
    *,
    project: str = "1",
    public_key: str | None = None,
    allowed_origins: Collection[str] = ("*",),
    events_per_minute: int | None = None,
    keep_events: int = KEEP_EVENTS,
    keep_bytes: int = KEEP_BYTES,
    hosts: Collection[str] = (),
    editor: str | None = None,
    source_roots: Sequence[str] = (),
    forward_to: str | None = None,
) -> Flask:
    """Make an inbox.

    :param db_path: the SQLite file that keeps everything; it is made if it is missing.
    :param project: the last part of the DSN.
    :param public_key: the DSN's key. By default one is made at random, and kept in the file so that
        the DSN stays the same.
    :param allowed_origins: whose pages may send (``"https://shop.example"``, ``"shop.example"``,
        ``"*.shop.example"``); others are answered 403. By default all pages may.
    :param events_per_minute: further events are answered 429. By default there is no limit.
    :param keep_events: how many events are kept, the newest.
    :param keep_bytes: how many bytes the kept events take at most.
    :param hosts: names besides ``localhost`` and addresses under which the pages may be read.
    :param editor: which editor opens a file of a stack: a name such as ``"vscode"``, or an address
        with ``{path}`` and ``{line}``; see `Editor`. By default no file is linked.
    :param source_roots: ``"/app=/home/ann/shop"`` each: where the files of an event are here.
    :param forward_to: the DSN that an event can be forwarded to by a button; see `Forwarder`.
    :raises InboxError: the file, project, key, editor or DSN cannot be used; says what to change.
    """
    if source_roots and editor is None:
        raise InboxError("--source-root is of use with --editor only")
    tools = event_page.Tools(
        editor=None if editor is None else Editor(editor, source_roots),
        forwarder=None if forward_to is None else Forwarder(forward_to),
    )
    for origin in allowed_origins:
        if not origin or "/" in origin.partition("://")[2]:
            raise InboxError(f"{origin!r} is no origin: it looks like https://shop.example")
    if public_key is not None:
        _check_key(project, public_key)
    store = Store(db_path, keep_events=keep_events, keep_bytes=keep_bytes)
    key = store.public_key(public_key)
    _check_key(project, key)

    app = Flask("flask_sentry_kit.inbox", static_url_path="/inbox/static")
    app.config["MAX_CONTENT_LENGTH"] = MAX_WIRE
    app.extensions["sentry_kit_inbox"] = Project(
        project, key, store, tuple(allowed_origins), events_per_minute
    )
    app.extensions["sentry_kit_inbox_tools"] = tools
    for room in (
        wire.bp,
        error_page.bp,
        api.bp,
        api.latest,
        live.bp,
        list_page.bp,
        event_page.bp,
        words_page.bp,
    ):
        app.register_blueprint(room)
    app.jinja_env.filters.update(
        short=clock.short, full=clock.full, rfc3339=clock.rfc3339, clock_only=clock.clock_only
    )
    app.jinja_env.filters.update(clock=clock.short, moment=clock.full)
    app.jinja_env.globals.update(zone=clock.zone)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    known = frozenset(name.lower().rstrip(".") for name in hosts)

    @app.before_request
    def guard() -> None:
        """Keep other sites out of the pages. Sentry's addresses are open to all, as at Sentry.

        A host name that an attacker points to this machine (DNS rebinding) is in the Host header.
        It is always a name, never an address or localhost.
        """
        # Werkzeug parses all parameters when the first one is used.
        if request.query_string.count(b"&") >= _PARAMETERS:
            raise BadRequest(f"The address has more than {_PARAMETERS} parameters.")
        if is_sentrys(request.path):
            return
        if not _is_own_host(request.host, known):
            raise MisdirectedRequest(
                "The inbox is not read under this name; start it with --allow-host to allow it."
            )
        if request.method not in ("GET", "HEAD", "OPTIONS") and not _from_here():
            raise Forbidden("This can only be done from the inbox's own pages.")

    @app.after_request
    def headers(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        if is_sentrys(request.path):
            return wire.finish(response)
        # An attachment is sent with a stricter policy of its own.
        response.headers.setdefault("Content-Security-Policy", _POLICY)
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        # Not "no-referrer", with which our own forms would send no Origin.
        response.headers["Referrer-Policy"] = "same-origin"
        if request.endpoint != "static":
            response.headers["Cache-Control"] = "no-store"
        return response

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response | tuple[str, int]:
        if is_sentrys(request.path):
            return wire.refuse(error)
        if api.is_api(request.path):
            return api.refuse(error)
        if isinstance(request.routing_exception, BadHost):
            # With a malformed Host header Flask makes no URLs, which the page needs.
            return Response(f"{error.name}\n", error.code, content_type="text/plain")
        return render_template("error.html", error=error), error.code or 500

    @app.errorhandler(sqlite3.Error)
    @app.errorhandler(InboxError)
    def unusable(error: Exception) -> Response | tuple[str, int]:
        # A full disk, a lock, a file that was just set aside: not a 4xx, so that the client tries
        # again.
        app.logger.error("The inbox's database cannot be used: %s", error)
        return refused(ServiceUnavailable("The inbox cannot use its database now."))

    @app.errorhandler(DamagedEventError)
    def unreadable(error: DamagedEventError) -> Response | tuple[str, int]:
        return refused(Gone("The inbox's file is damaged where this event was."))

    return app


class MisdirectedRequest(HTTPException):
    """421: this name is not allowed (RFC 9110, section 15.5.20). Werkzeug has it from 3.1 on."""

    code = 421


def _check_key(project: str, key: str) -> None:
    """Check that a DSN of this project and key is read back as the same.

    :raises InboxError: it is not.
    """
    try:
        Dsn.of("http://localhost", key, project, setting="The inbox's DSN")
    except DsnError as error:
        raise InboxError(f"This project or key makes no DSN. {error}.") from None


def _is_own_host(host: str, known: Collection[str]) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    name = name.rstrip(".")
    if name == "localhost" or name.endswith(".localhost") or name in known:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _from_here() -> bool:
    """Whether a browser says that this request comes from our own page."""
    origin = request.headers.get("Origin")
    if origin is None:
        return request.headers.get("Sec-Fetch-Site") == "same-origin"
    # Without the scheme, which differs behind a proxy that ends TLS.
    return origin.partition("://")[2].lower() == request.host.lower()
