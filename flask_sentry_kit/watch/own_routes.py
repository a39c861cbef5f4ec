"""Answers the kit's own routes before the app's hooks run: a login wall, a dead database or a CSRF
check must not block the page's stylesheet or the visitor's feedback."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from flask import Flask, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from ..addresses import app_path
from ..compat import CONTEXT_COMES_FIRST, current_context
from .notes import RequestNotes, notes_key, notes_of

logger = logging.getLogger("flask_sentry_kit")


class OwnRoutes:
    """The kit's routes on one app.

    :param app: the app.
    :param blueprint: the name the blueprint was registered under.
    :param prefix: the path its routes are below, without the app's mount point.
    """

    def __init__(self, app: Flask, blueprint: str, prefix: str) -> None:
        self._app = app
        self._endpoints = f"{blueprint}."
        self._prefix = prefix
        self._notes_key = notes_key(app)

    def serve_first(self) -> None:
        """Answer the kit's routes before the app's hooks run."""
        app = self._app
        preprocess: Callable[..., Any] = app.preprocess_request
        own = frozenset(filter(self._is_own, app.view_functions))

        # Wraps all hooks, because one more hook would cost a healthy request more, and so would one
        # function for both forms of the call.
        def preprocess_request() -> Any:
            __traceback_hide__ = True
            rule = current_context().request.url_rule
            if rule is not None and rule.endpoint in own:
                return self._dispatch(rule.endpoint)
            return preprocess()

        def preprocess_request_of(context: Any) -> Any:
            __traceback_hide__ = True
            rule = context.request.url_rule
            if rule is not None and rule.endpoint in own:
                return self._dispatch(rule.endpoint)
            return preprocess(context)

        made = preprocess_request_of if CONTEXT_COMES_FIRST else preprocess_request
        app.preprocess_request = made  # type: ignore[method-assign, assignment]  # of this app alone
        if app.url_map.host_matching or app.subdomain_matching:
            app.before_request_funcs.setdefault(None, []).insert(0, self._on_any_host())

    def _is_own(self, endpoint: str) -> bool:
        return endpoint.startswith(self._endpoints)

    def _on_any_host(self) -> Callable[[], Any]:
        """A hook for apps with host matching: the kit's routes have no host, and a page may crash
        on any host."""
        rules = [rule for rule in self._app.url_map.iter_rules() if self._is_own(rule.endpoint)]
        adapter = Map(
            [Rule(rule.rule, endpoint=rule.endpoint, methods=rule.methods) for rule in rules]
        ).bind("any")

        def serve_own_route() -> Any:
            path = app_path(request.environ)
            if not path.startswith(f"{self._prefix}/"):
                return None
            try:
                rule, values = adapter.match(path, request.method, return_rule=True)
            except HTTPException:
                return None  # the app may have a route for it
            request.url_rule, request.view_args = rule, dict(values)
            request.routing_exception = None
            return self._dispatch(rule.endpoint)

        return serve_own_route

    def answer_after_crash(self) -> Any:
        """The answer of the kit's route that this request is for, after the app's own code failed
        (in its session store, for example); None if the request is for another route. Searched
        once per request."""
        notes = self._notes()
        if notes.own_route_tried:
            return None
        notes.own_route_tried = True
        try:
            self._match_late()
            rule = request.url_rule
            if rule is not None and self._is_own(rule.endpoint):
                return self._dispatch(rule.endpoint)
        except HTTPException:
            pass  # no route matches
        except Exception:
            logger.exception("One of the kit's own routes failed; the crash page shows instead")
        return None

    def _dispatch(self, endpoint: str) -> Any:
        # Once per request: if one of the app's hooks fails after a report was accepted, a second
        # call would refuse the report as a duplicate.
        app, notes = self._app, self._notes()
        if notes.own_answer is None:
            answer = app.ensure_sync(app.view_functions[endpoint])(**(request.view_args or {}))
            notes.own_answer = app.make_response(answer)
        return notes.own_answer

    def _match_late(self) -> None:
        # Flask opens the session before it matches the route; if that fails, it matches none.
        if request.url_rule is not None or request.routing_exception is not None:
            return
        adapter = self._app.create_url_adapter(request)
        if adapter is not None:
            request.url_rule, values = adapter.match(return_rule=True)
            request.view_args = dict(values)

    def _notes(self) -> RequestNotes:
        return notes_of(request.environ, self._notes_key)
