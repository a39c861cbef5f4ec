"""Chooses the kind of answer to a failed request. Reads only the request's headers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal

from flask import Request

from .. import headers

Kind = Literal["html", "fragment", "problem", "text"]

VARY: Final = "Accept, Accept-Language, HX-Request, X-Requested-With, Sec-Fetch-Dest"
"""The request headers that the kind of answer and its language depend on."""

PROBLEM: Final = "application/problem+json"

_OFFERED: Final[dict[Kind, str]] = {
    "html": "text/html",
    "problem": "application/json",
    "text": "text/plain",
}


def _json_like(media_type: str) -> bool:
    return media_type == "application/json" or media_type.endswith("+json")


def _weigh(request: Request) -> dict[Kind, tuple[float, int]]:
    """Quality and specificity (0: by ``*/*``, 1: by ``type/*``, 2: by name) of each offer.

    The most specific matching range decides, even at a lower quality (RFC 9110, section 12.5.1).
    """
    weights: dict[Kind, tuple[float, int]] = {}
    accepted_types = headers.media_types(request.environ)
    for kind, offered in _OFFERED.items():
        best = (0.0, -1)
        for accepted, quality in accepted_types:
            name = accepted.partition(";")[0].strip().lower()
            if name == offered or (kind == "problem" and _json_like(name)):
                specificity = 2
            elif name == offered.partition("/")[0] + "/*":
                specificity = 1
            elif name == "*/*":
                specificity = 0
            else:
                continue
            if (specificity, quality) > (best[1], best[0]):
                best = (quality, specificity)
        weights[kind] = best
    return weights


def _from_script(request: Request) -> bool:
    """Whether fetch(), XMLHttpRequest or a client that sends JSON made the request."""
    environ = request.environ
    return (
        headers.says(environ, "HTTP_X_REQUESTED_WITH", "xmlhttprequest")
        or headers.says(environ, "HTTP_SEC_FETCH_DEST", "empty")
        or _json_like(headers.content_type(environ))
    )


def choose(request: Request, apis: Collection[str] = ()) -> Kind:
    """The kind of answer that this request accepts best.

    :param apis: names of the blueprints that are declared as APIs.
    """
    environ = request.environ
    if headers.says(environ, "HTTP_HX_REQUEST", "true"):
        # For a boosted link and a history restore, htmx puts in a whole page.
        whole = ("HTTP_HX_BOOSTED", "HTTP_HX_HISTORY_RESTORE_REQUEST")
        if not any(headers.says(environ, name, "true") for name in whole):
            return "fragment"
        return "html"
    api = any(name in apis for name in request.blueprints) if apis else False
    if not str(environ.get("HTTP_ACCEPT") or "").strip():
        # No Accept header (HTTP/1.0, Flask's test client): HTML, as Flask itself answers.
        return "problem" if api or _from_script(request) else "html"
    weights = _weigh(request)
    if api and weights["problem"][0] > 0:
        return "problem"
    best = max(weights.values())
    if best[0] <= 0:
        return "text"
    tied = [kind for kind, weight in weights.items() if weight == best]
    if len(tied) == 1:
        return tied[0]
    order: tuple[Kind, ...]
    if api or _from_script(request):
        order = ("problem", "html", "text")
    elif best[1] == 2 or headers.says(environ, "HTTP_SEC_FETCH_DEST", "document"):
        order = ("html", "problem", "text")
    else:
        # Only "*/*": curl and other tools.
        order = ("text", "problem", "html")
    return next(kind for kind in order if kind in tied)
