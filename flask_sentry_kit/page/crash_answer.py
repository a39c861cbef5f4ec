"""The response to a failed request."""

from __future__ import annotations

from typing import Any, Final

from flask import Response
from werkzeug.datastructures import Headers

from .. import headers

_CACHE_HEADERS: Final = frozenset(("etag", "last-modified", "expires", "age", "accept-ranges"))
_POLICIES: Final = frozenset(("content-security-policy", "x-frame-options"))


class CrashResponse(Response):
    """Keeps its status and is never cached, even if the failed view or the app's hooks set that."""

    def get_wsgi_headers(self, environ: Any) -> Headers:
        made = super().get_wsgi_headers(environ)
        names = [name.lower() for name, _ in made]
        if names.count("cache-control") != 1 or made["Cache-Control"] != "no-store":
            made["Cache-Control"] = "no-store"
        for name in _CACHE_HEADERS.intersection(names):
            made.remove(name)
        # Done after the app's hooks, because the last hook may set a policy of the app's own.
        # X-Frame-Options counts as a policy: browsers ignore it where frame-ancestors is set.
        if _POLICIES.isdisjoint(names) and not headers.framed(environ):
            made["Content-Security-Policy"] = "frame-ancestors 'self'"
        return made

    def make_conditional(self, *args: Any, **kwargs: Any) -> CrashResponse:
        # A hook that answers If-None-Match would turn the 500 into a 304.
        return self
