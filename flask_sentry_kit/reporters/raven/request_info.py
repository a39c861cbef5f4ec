"""raven's methods that describe request and user. A subclass of ``Sentry`` may override them and
call them through ``super()``.

They are called for a client of raven's own class, and if one of them is overridden. Otherwise
events are made without them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import raven.contrib.flask
from flask import Flask, current_app
from flask.wrappers import Response
from werkzeug.wrappers import Request

from ...body_deadline import body_deadline
from ...event.request import BODY_MAX, BODY_SECONDS
from ...settings import settings_of
from ...user import user_facts
from .hooks import body_may_be_read


class RequestInfo(raven.contrib.flask.Sentry):  # type: ignore[misc]  # raven carries no types
    """raven's ``Sentry``, changed so that a view can still read its request's body."""

    def before_request(self, *args: Any, **kwargs: Any) -> Any:
        """Does nothing: the data that raven prepares here is read when a request fails."""

    def after_request(self, sender: Any, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Does nothing: the response header is prepared when an event is captured."""
        return response

    def get_user_info(self, request: Any) -> dict[str, Any]:
        """Sentry's ``user`` of a request: ``ip_address``, and for a signed-in user also ``id``,
        ``is_authenticated``, ``is_anonymous`` and ``SENTRY_USER_ATTRS``."""
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
        facts = user_facts(app.config.get("SENTRY_USER_ATTRS") or (), settings_of(app).user)
        if facts.get("is_authenticated") is False:
            # raven returns no keys for an anonymous user, and subclasses rely on that.
            facts = {}
        if request.remote_addr:
            facts["ip_address"] = request.remote_addr
        return facts

    def get_form_data(self, request: Request) -> Any:
        """The form of a failed request. Empty if a view may still read it."""
        return _body_of(request, lambda: request.form)

    def get_json_data(self, request: Request) -> Any:
        """The body of a failed request. Empty if a view may still read it."""
        return _body_of(request, request.get_data)


def _body_of(request: Request, read: Callable[[], Any]) -> Any:
    if not body_may_be_read(request):
        return {}
    length = request.content_length or 0
    if length > BODY_MAX:
        return f"<body of {length} bytes>"
    with body_deadline(request.environ, BODY_SECONDS):
        return read()
