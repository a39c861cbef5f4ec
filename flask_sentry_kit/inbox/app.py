"""Puts the inbox together: one Flask app, its guard, and how it refuses."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Collection, Sequence

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import BadHost, Gone, HTTPException, ServiceUnavailable

from . import api, clock, guard, live
from .errors import DamagedEventError, InboxError
from .pages import event_page, list_actions, list_page, words_page
from .pages.editor import Editor
from .pages.forwarding import Forwarder
from .password import Password
from .project import Project, check_key, read_projects
from .protocol import error_page, wire
from .protocol.body import MAX_WIRE
from .protocol.drills import Drills
from .protocol.sentry_paths import SentryPaths
from .storage.store import KEEP_BYTES, KEEP_EVENTS, Store

_LOG_EVERY = 60.0


def create_inbox(
    db_path: str | os.PathLike[str],
    *,
    projects: Collection[str] = (),
    public_key: str | None = None,
    allowed_origins: Collection[str] = ("*",),
    events_per_minute: int | None = None,
    keep_events: int = KEEP_EVENTS,
    keep_bytes: int = KEEP_BYTES,
    hosts: Collection[str] = (),
    password: Password | None = None,
    editor: str | None = None,
    source_roots: Sequence[str] = (),
    forward_to: str | None = None,
    drills: Collection[str] = (),
    drill_seed: int | None = None,
) -> Flask:
    """Make an inbox.

    :param db_path: the SQLite file that keeps everything; it is made if it is missing.
    :param projects: whose events and words are taken, each ``ID`` or ``ID:KEY``; the first one is
        in the DSN that is shown. By default any project and key are, so that an app's DSN works
        once its host is changed, and the DSN that is shown has project 1. With a password it is
        project 1 alone, with its key.
    :param public_key: the key of projects without one of their own; without any, of project 1,
        which is then the only one. By default one is made at random, and kept in the file so that
        the DSN stays the same.
    :param allowed_origins: whose pages may send (``"https://shop.example"``, ``"shop.example"``,
        ``"*.shop.example"``); others are answered 403. By default all pages may.
    :param events_per_minute: further events are answered 429. By default there is no limit.
    :param keep_events: how many events are kept, the newest.
    :param keep_bytes: how many bytes the kept events take at most.
    :param hosts: names besides ``localhost`` and addresses under which the pages may be read.
    :param password: asked for before anything is read or changed; see `read_password`. Clients send
        with the DSN alone. Without one, the inbox is served on loopback only.
    :param editor: which editor opens a file of a stack: a name such as ``"vscode"``, or an address
        with ``{path}`` and ``{line}``; see `Editor`. By default no file is linked.
    :param source_roots: ``"/app=/home/ann/shop"`` each: where the files of an event are here.
    :param forward_to: the DSN that an event can be forwarded to by a button; see `Forwarder`.
    :param drills: failures to play to clients, each ``KIND`` or ``KIND:PROBABILITY``; may be
        changed later by ``app.extensions["sentry_kit_inbox"].drills.set(…)``. See
        :class:`~flask_sentry_kit.inbox.protocol.drills.Drills`.
    :param drill_seed: of their chance.
    :raises InboxError: the file, a project, key, drill, editor or DSN cannot be used; says what to
        change.
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
    if password is not None and not projects and public_key is None:
        # Who reaches it from the network sends with the DSN, and not with any.
        projects = ("1",)
    prepared = Drills(drills, drill_seed)
    # With some key in place of the kept one, which is in a file that may not exist yet.
    read_projects(projects, public_key, "key")
    store = Store(db_path, keep_events=keep_events, keep_bytes=keep_bytes)
    kept_key = store.public_key()
    found = read_projects(projects, public_key, kept_key)
    shown = found[0] if found else ("1", kept_key)
    check_key(*shown)
    if shown[1] != kept_key:
        store.public_key(shown[1])

    app = Flask("flask_sentry_kit.inbox", static_url_path="/inbox/static")
    app.config["MAX_CONTENT_LENGTH"] = MAX_WIRE
    app.wsgi_app = SentryPaths(app.wsgi_app)  # type: ignore[method-assign]  # as Flask documents it
    app.extensions["sentry_kit_inbox"] = Project(
        *shown,
        store,
        frozenset(found) or None,
        tuple(allowed_origins),
        events_per_minute,
        drills=prepared,
    )
    app.extensions["sentry_kit_inbox_tools"] = tools
    pages = (list_page.bp, list_actions.bp, event_page.bp, words_page.bp)
    for room in (wire.bp, error_page.bp, api.bp, api.latest, live.bp, *pages):
        app.register_blueprint(room)
    app.jinja_env.filters.update(
        short=clock.short,
        full=clock.full,
        rfc3339=clock.rfc3339,
        clock_only=clock.clock_only,
        time=clock.element,
    )
    app.jinja_env.globals.update(zone=clock.zone)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    guard.install(app, hosts, password)

    @app.after_request
    def headers(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        return wire.finish(response) if guard.is_for_sentry() else guard.protect(response)

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        if guard.is_for_sentry():
            return wire.refuse(error)
        if api.is_api(request.path):
            return api.refuse(error)
        if isinstance(request.routing_exception, BadHost):
            # With a malformed Host header Flask makes no URLs, which the page needs.
            return Response(f"{error.name}\n", error.code, content_type="text/plain")
        response = Response(render_template("error.html", error=error), error.code or 500)
        for name, value in error.get_headers():
            # Such as how to sign in, and when to come again.
            if name.lower() != "content-type":
                response.headers[name] = value
        return response

    logged: dict[str, float] = {}

    @app.errorhandler(sqlite3.Error)
    @app.errorhandler(InboxError)
    def unusable(error: Exception) -> Response:
        # A full disk, a lock, a file that was just set aside: not a 4xx, so that the client tries
        # again. Said once a minute: on a full disk every event comes here.
        text, now = str(error), time.monotonic()
        if logged.get(text, -_LOG_EVERY) <= now - _LOG_EVERY:
            logged.clear()
            logged[text] = now
            app.logger.error("The inbox's database cannot be used: %s", text)
        return refused(ServiceUnavailable("The inbox cannot use its database now."))

    @app.errorhandler(DamagedEventError)
    def unreadable(error: DamagedEventError) -> Response:
        return refused(Gone("The inbox's file is damaged where this event was."))

    return app
