"""The response that a failed request is answered with."""

from __future__ import annotations

from typing import Any, Final

from flask import Response
from werkzeug.datastructures import Headers

from .. import headers

_OF_ANOTHER_ANSWER: Final = frozenset(("etag", "last-modified", "expires", "age", "accept-ranges"))
_POLICIES: Final = frozenset(("content-security-policy", "x-frame-options"))


class CrashResponse(Response):
    """Stays what it is, whatever the failed view or the app's hooks had planned for its answer."""

    def get_wsgi_headers(self, environ: Any) -> Headers:
        made = super().get_wsgi_headers(environ)
        names = [name.lower() for name, _ in made]
        if names.count("cache-control") != 1 or made["Cache-Control"] != "no-store":
            made["Cache-Control"] = "no-store"
        for name in _OF_ANOTHER_ANSWER.intersection(names):
            made.remove(name)
        # Here, after the app's hooks: a policy of its own may be put in place by the last of them.
        # A browser that knows frame-ancestors forgets X-Frame-Options, so that is one too.
        if _POLICIES.isdisjoint(names) and not headers.framed(environ):
            made["Content-Security-Policy"] = "frame-ancestors 'self'"
        return made

    def make_conditional(self, *args: Any, **kwargs: Any) -> CrashResponse:
        # A hook that answers If-None-Match would turn the 500 into a 304.
        return self
