"""The address of one of the app's pages, given as text, as an event shows a request's address."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote_to_bytes, urlsplit

from flask import Flask, Request, has_request_context, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from .request import masked_url
from .scrub import Scrubber

_URL_MAX: Final = 2_000


def page_url(app: Flask, url: str, scrubber: Scrubber) -> str:
    """The address with what is secret masked: in the path for its rule and its looks, and in the
    query. At most 2,000 characters; without the query if it is longer with it.

    :param url: an address that may come from a browser. Its host is not checked.
    :returns: empty if it is no http or https address.
    """
    if len(url) > 4 * _URL_MAX:
        return ""
    try:
        page = _request_for(url)
        if page is None:
            return ""
        page.url_rule, page.view_args = _match(app, page)
        shown = scrubber.short_url(masked_url(page, scrubber), _URL_MAX)
        query = scrubber.short_query(urlsplit(url).query, _URL_MAX)
    except (ValueError, HTTPException):
        return ""
    whole = f"{shown}?{query}" if query else shown
    return whole if len(whole) <= _URL_MAX else shown


def _request_for(url: str) -> Request | None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    root = request.root_path.rstrip("/") if has_request_context() else ""
    path = unquote_to_bytes(parts.path).decode("latin-1")
    script = root.encode().decode("latin-1")
    if not path.startswith(f"{script}/"):
        script = ""
    return Request(
        {
            "REQUEST_METHOD": "GET",
            "wsgi.url_scheme": parts.scheme,
            "HTTP_HOST": parts.netloc.rpartition("@")[2],
            "SERVER_NAME": parts.hostname,
            "SERVER_PORT": str(parts.port or (443 if parts.scheme == "https" else 80)),
            "SCRIPT_NAME": script,
            "PATH_INFO": path[len(script) :] or "/",
            "QUERY_STRING": "",
        },
        populate_request=False,
    )


def _match(app: Flask, page: Request) -> tuple[Any, Any]:
    """The rule for a page and the arguments in its path, for any method."""
    adapter = app.create_url_adapter(page)
    if adapter is None:
        return None, None
    try:
        return adapter.match(return_rule=True)
    except MethodNotAllowed as error:
        method = next(iter(error.valid_methods or ()), None)
        return adapter.match(method=method, return_rule=True) if method else (None, None)
    except HTTPException:
        return None, None
