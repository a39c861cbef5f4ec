"""A value masked once for its name is masked everywhere else in the same event.

A password that is masked as a form field also occurs in a message, in a tuple of SQL parameters and
in pydantic's ``input_value=``. Such values are collected while the parts of an event are made, and
one pass over the finished event masks them. Types, files, modules, functions, names and the event's
own facts are never masked, because a visitor decides what a field named ``token`` contains.
"""

from __future__ import annotations

import html
import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote_plus

from werkzeug.wrappers import Request

from ..compat import read_so_far
from ..containment import FOREIGN_ERRORS
from .masked_walk import EDGE, Walk, facts_of
from .masked_walk import LENGTH_MIN as LENGTH_MIN
from .scrub import MASK, Scrubber
from .secret_looks import is_plain

VALUES_MAX: Final = 100
"""Most values collected for one event."""
_VALUE_MAX: Final = 4_000
_QUERY_MAX: Final = 4_000
_COOKIES_MAX: Final = 50

# Words that are never a secret, whatever their name.
_COMMON: Final = frozenset(
    "accept access account active admin allow always anonymous application authenticated"
    " authorization basic bearer cookie credentials customer default denied development digest"
    " disabled enabled example expired failed filtered function guests hidden inactive invalid"
    " localhost login manual member message method missing module normal notset number object"
    " option optional orders passwd password payment pending private product production public"
    " random reader record request required response result return secret sender server service"
    " session signature single staging static status string system test testing testserver tokens"
    " unknown undefined update user username values verified visitor website writer"
    " ********".split()
)
_PHRASE: Final = re.compile(r"(?=.{16})[^\W\d]+(?:[ -][^\W\d]+){2,20}")  # common prose
_HEADER_PARTS: Final = re.compile(r"[\s;,]+")

ADDRESS_HEADERS: Final = frozenset(
    # Headers in which proxies and hosts put the visitor's address.
    "forwarded x-forwarded-for x-forwarded forwarded-for x-real-ip x-real-ipv6 x-client-ip"
    " client-ip x-cluster-client-ip x-remote-ip x-remote-addr remote-addr remote-host"
    " x-originating-ip x-original-forwarded-for x-envoy-external-address x-appengine-user-ip"
    " x-azure-clientip x-azure-socketip cf-connecting-ip cf-connecting-ipv6 cf-pseudo-ipv4"
    " true-client-ip fastly-client-ip fly-client-ip do-connecting-ip x-vercel-forwarded-for"
    " x-nf-client-connection-ip cloudfront-viewer-address x-proxyuser-ip proxy-client-ip"
    " wl-proxy-client-ip x-sentry-forwarded-for x-host-ip x-coming-from x-real-client-ip"
    " ali-cdn-real-ip x-zuul-forwarded-for".split()
)
"""Headers that contain a visitor's address, in lower case."""


def is_visitor_header(name: str) -> bool:
    """Whether a header contains the visitor's address or the previous page."""
    lowered = name.lower()
    return lowered in ADDRESS_HEADERS or lowered in ("referer", "referrer", "from")


class MaskedValues:
    """Collects the values that were masked for their names while an event was built."""

    def __init__(self) -> None:
        self._values: dict[str, bool] = {}

    def note(self, value: Any, depth: int = 0) -> None:
        """Collect the texts, bytes and numbers of a value, also those inside containers."""
        if len(self._values) >= VALUES_MAX:
            return
        kind = type(value)
        if kind is str:
            self._add(value[:_VALUE_MAX])
        elif kind is bytes or kind is bytearray:
            self._add(bytes(value[:_VALUE_MAX]).decode("utf-8", "replace"))
        elif kind is int and 10 ** (LENGTH_MIN - 1) <= abs(value) < 10**40:
            self._add(str(abs(value)))
        elif depth < 3 and kind is dict:
            for item in list(value.values())[:20]:
                self.note(item, depth + 1)
        elif depth < 3 and kind in (list, tuple, set, frozenset):
            for item in list(value)[:20]:
                self.note(item, depth + 1)

    def note_text(self, text: str, shown: str) -> None:
        """Collect what the mask replaced in a scrubbed text, as in ``password=hunter2``."""
        kept = shown.split(MASK)
        if len(kept) < 2 or len(kept) > 50:
            return
        at = text.find(kept[0]) + len(kept[0])
        if not text.startswith(kept[0]):
            return
        for piece in kept[1:]:
            end = text.find(piece, at) if piece else len(text)
            if end < 0:
                return
            self._add(text[at:end][:_VALUE_MAX])
            at = end + len(piece)

    def note_request(self, request: Request, scrubber: Scrubber) -> None:
        """Collect the values of sensitive names in a request's headers, cookies, query and rule."""
        try:
            environ = request.environ
            headers = [name for name in environ if name.startswith("HTTP_")]
            for name in headers[:60]:
                if name != "HTTP_COOKIE" and scrubber.hides(name[5:]):
                    self.note_header(environ[name])
            if "HTTP_COOKIE" in environ or read_so_far(request).cookies is not None:
                self.note_cookies(request.cookies, scrubber)
            for name, value in (getattr(request, "view_args", None) or {}).items():
                if scrubber.hides(name):
                    self.note(value)
            self.note_path(request.path, scrubber)
            self.note_query(request.query_string[:_QUERY_MAX].decode("utf-8", "replace"), scrubber)
        except FOREIGN_ERRORS:
            pass  # an app's own request class may raise; the values read before that are kept

    def note_cookies(self, cookies: Mapping[str, Any], scrubber: Scrubber) -> None:
        """Collect the values of cookies, except words and numbers under harmless names."""
        for name, value in list(cookies.items())[:_COOKIES_MAX]:
            if scrubber.hides(name) or not (is_plain(value) or value.isdigit()):
                self.note(value)

    def note_path(self, path: str, scrubber: Scrubber) -> None:
        """Collect the segments of a path that are masked for the segment before them."""
        path = path[:_VALUE_MAX]
        shown = scrubber.path(path)
        if shown != path:
            # The view gets the same segment as an argument under its own name.
            for segment, left in zip(path.split("/"), shown.split("/"), strict=True):
                if segment != left:
                    self.note(segment)

    def note_query(self, query: str, scrubber: Scrubber) -> None:
        """Collect the values of sensitive names in a query string."""
        for pair in query[:_QUERY_MAX].split("&") if query else ():
            name, _, value = pair.partition("=")
            if value and scrubber.hides(unquote_plus(name)):
                self.note(unquote_plus(value))

    def note_header(self, value: str) -> None:
        """Collect the secrets in the value of a sensitive header."""
        value = value[:_VALUE_MAX]
        scheme, _, rest = value.partition(" ")
        if scheme.lower() == "basic":
            try:
                decoded = b64decode(rest, validate=True).decode("utf-8", "replace")
            except ValueError:
                decoded = ""
            self.note(decoded.partition(":")[2])
        for part in _HEADER_PARTS.split(value)[:10]:
            if not is_plain(part):
                self.note(part)

    def note_visitor(self, request: Request) -> None:
        """Collect the visitor's address and Referer, for apps that send neither."""
        addresses = [request.remote_addr or ""]
        for name, value in request.headers.items():
            if name.lower() in ADDRESS_HEADERS:
                addresses += re.split(r"[\s,;=\"]+", value[:500])[:10]
        host = request.host.rpartition(":")[0] or request.host
        for address in addresses:
            if address not in (host, "localhost") and re.search(r"\d[.:]|:[\da-fA-F]", address):
                self._add(address, anywhere=True)
        if request.referrer:
            self._add(request.referrer[:_VALUE_MAX], anywhere=True)

    def _add(self, value: str, *, anywhere: bool = False) -> None:
        """Collect a value. Unless ``anywhere`` is set, a word or a path is masked only where it
        is a whole value."""
        value = EDGE.sub("", value)
        if len(value) < LENGTH_MIN or len(self._values) >= VALUES_MAX or MASK in value:
            return
        if value.lower() not in _COMMON:
            self._values[value] = (
                anywhere or not is_plain(value) or _PHRASE.fullmatch(value) is not None
            )

    def mask(self, event: dict[str, Any]) -> None:
        """Mask the collected values wherever they are values in a built event."""
        walk = self.walk(event)
        if walk is not None:
            walk.event(event)

    def walk(self, event: Mapping[str, Any]) -> Walk | None:
        """The pass that masks the collected values in this event, or None if there are none."""
        if not self._values:
            return None
        known = facts_of(event)
        values = {
            value: strong for value, strong in self._values.items() if value.lower() not in known
        }
        for value, strong in list(values.items()):
            if not (value.isascii() and value.isalnum()):
                values.update(dict.fromkeys(_encoded(value), strong))
        return Walk(values) if values else None


def _encoded(value: str) -> Iterator[str]:
    """A value as it is written in addresses, JSON, reprs and HTML."""
    for form in (
        quote(value, safe="", errors="replace"),
        quote(value, errors="replace"),
        quote_plus(value, errors="replace"),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        html.escape(value),
    ):
        if form != value:
            yield form
