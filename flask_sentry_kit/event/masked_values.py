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
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote_plus

from werkzeug.wrappers import Request

from ..compat import read_so_far
from ..containment import FOREIGN_ERRORS
from .scrub import MASK, Scrubber
from .secret_looks import is_plain

VALUES_MAX: Final = 100
"""Most values collected for one event."""
LENGTH_MIN: Final = 6
"""Length in characters of the shortest value that is collected."""
_VALUE_MAX: Final = 4_000
_COMPARISONS_MAX: Final = 20_000
_CUTS_MAX: Final = 200  # places of one event where a cut text may end in half of a value
_QUERY_MAX: Final = 4_000
_COOKIES_MAX: Final = 50

# Words that are never a secret, whatever their name.
_COMMON: Final = frozenset(
    "accept access account active admin allow always anonymous application authenticated"
    " authorization basic bearer cookie credentials customer default denied development digest"
    " disabled enabled example expired failed function guests hidden inactive invalid localhost"
    " login manual member message method missing module normal notset number object option"
    " optional orders passwd password payment pending private product production public random"
    " reader record request required response result return secret sender server service session"
    " signature single staging static status string system test testing testserver tokens unknown"
    " undefined update user username values verified visitor website writer ********".split()
)
_EDGE: Final = re.compile(r"^\W+|\W+$")
_PHRASE: Final = re.compile(r"(?=.{16})[^\W\d]+(?:[ -][^\W\d]+){2,20}")  # common prose
_CUT: Final = re.compile(r"\.\.\.|…")
_TAIL: Final = re.compile(r"[^\"'\s,)\]}]{2,200}")
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


# Keys of an event that hold facts about the program or the kit, never a visitor's value.
_FACTS: Final = frozenset(
    "event_id timestamp project platform sdk level logger server_name contexts modules transaction"
    " release environment repos fingerprint time_spent culprit".split()
)
_USER_NAMES: Final = ("id", "username", "email", "name")
_USER_FACTS: Final = ("id", "is_authenticated", "is_anonymous")
_SOURCE: Final = ("pre_context", "context_line", "post_context")


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
                    self._note_header(environ[name][:_VALUE_MAX])
            if "HTTP_COOKIE" in environ or read_so_far(request).cookies is not None:
                for name, value in list(request.cookies.items())[:_COOKIES_MAX]:
                    if scrubber.hides(name) or not (is_plain(value) or value.isdigit()):
                        self.note(value)
            for name, value in (getattr(request, "view_args", None) or {}).items():
                if scrubber.hides(name):
                    self.note(value)
            path = request.path[:_VALUE_MAX]
            shown = scrubber.path(path)
            if shown != path:
                # The view gets the same segment as an argument under its own name.
                for segment, left in zip(path.split("/"), shown.split("/"), strict=True):
                    if segment != left:
                        self.note(segment)
            query = request.query_string[:_QUERY_MAX].decode("utf-8", "replace")
            for pair in query.split("&") if query else ():
                name, _, value = pair.partition("=")
                if value and scrubber.hides(unquote_plus(name)):
                    self.note(unquote_plus(value))
        except FOREIGN_ERRORS:
            pass  # an app's own request class may raise; the values read before that are kept

    def _note_header(self, value: str) -> None:
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
        value = _EDGE.sub("", value)
        if len(value) < LENGTH_MIN or len(self._values) >= VALUES_MAX or MASK in value:
            return
        if value.lower() not in _COMMON:
            self._values[value] = (
                anywhere or not is_plain(value) or _PHRASE.fullmatch(value) is not None
            )

    def mask(self, event: dict[str, Any]) -> None:
        """Mask the collected values wherever they are values in a built event."""
        if not self._values:
            return
        known = _facts_of(event)
        values = {
            value: strong for value, strong in self._values.items() if value.lower() not in known
        }
        for value, strong in list(values.items()):
            if not (value.isascii() and value.isalnum()):
                values.update(dict.fromkeys(_encoded(value), strong))
        if values:
            _Walk(values).event(event)


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


@lru_cache(maxsize=2048)
def _words_of(name: str) -> frozenset[str]:
    """The name of a file, a module or a rule, and its parts."""
    lowered = name.lower()
    return frozenset((lowered, *re.split(r"[/\\.]", lowered), re.split(r"[/\\]", lowered)[-1]))


def _facts_of(event: Mapping[str, Any]) -> set[str]:
    """Words that must stay readable: names of files, functions and types, host and user id."""
    found: set[str] = set()

    def add(value: object) -> None:
        if isinstance(value, str):
            found.update(_words_of(value[:300]))

    for frame in _frames(event):
        for name in ("filename", "abs_path", "module", "function"):
            add(frame.get(name))
        found.update(str(name).lower() for name in frame.get("vars") or ())
    for value in event.get("exception", {}).get("values", ()):
        add(value.get("type"))
        add(value.get("module"))
    for name in ("transaction", "release", "server_name", "logger", "environment", "culprit"):
        add(event.get(name))
    user, request = event.get("user"), event.get("request")
    if isinstance(user, dict):
        found.update(str(user[name]).lower() for name in _USER_NAMES if name in user)
    if isinstance(request, dict):
        host = str(request.get("url", "")).partition("://")[2].partition("/")[0].lower()
        found.update((host, host.rpartition(":")[0]))
        headers = request.get("headers")
        if isinstance(headers, dict):
            found.update(str(headers.get(name, "")).lower() for name in ("Content-Type", "Accept"))
    return found


def _frames(event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for value in event.get("exception", {}).get("values", ()):
        yield from (value.get("stacktrace") or {}).get("frames", ())
    yield from (event.get("stacktrace") or {}).get("frames", ())


class _Walk:
    """One pass over an event.

    A value is searched by its first ``LENGTH_MIN`` characters and then compared. The number of
    comparisons per event is limited, so that text with many near matches costs no more.
    """

    def __init__(self, values: Mapping[str, bool]) -> None:
        self._whole = set(values)
        self._weak = {value for value, strong in values.items() if not strong}
        # The longest first, so that a short value does not hide a longer one with the same start.
        self._by_start: dict[str, list[str]] = {}
        for value in sorted(self._whole, key=len, reverse=True):
            self._by_start.setdefault(value[:LENGTH_MIN], []).append(value)
        self._compared = 0
        self._cuts = 0

    def event(self, event: dict[str, Any]) -> None:
        for name, value in event.items():
            if name == "exception":
                for one in value.get("values", ()):
                    one["value"] = self._of(one["value"])
                    self._frames(one.get("stacktrace"))
            elif name == "stacktrace":
                self._frames(value)
            elif name == "user":
                event[name] = {
                    key: one if key in _USER_FACTS else self._of(one) for key, one in value.items()
                }
            elif name not in _FACTS:
                event[name] = self._of(value)

    def _frames(self, stacktrace: dict[str, Any] | None) -> None:
        for frame in (stacktrace or {}).get("frames", ()):
            if "vars" in frame:
                frame["vars"] = {name: self._of(one) for name, one in frame["vars"].items()}
            for name in _SOURCE:
                # All events with this line share this object. It is never changed in place.
                shown = frame.get(name)
                if type(shown) is str:
                    frame[name] = self._text(shown, source=True)
                elif shown:
                    frame[name] = [self._text(line, source=True) for line in shown]

    def _of(self, value: Any) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value)
        if kind is dict:
            return {self._key(name): self._of(one) for name, one in value.items()}
        if kind is list:
            return [self._of(one) for one in value]
        if kind is int and str(abs(value)) in self._whole:
            return MASK
        return value

    def _key(self, name: str) -> str:
        """A dict key, masked if it is one of the values: ``{"hunter2": "bob"}``."""
        return MASK if name in self._whole and name not in self._weak else name

    def _text(self, text: str, *, source: bool = False) -> str:
        if len(text) < LENGTH_MIN:
            return text
        if text in self._whole and not source:
            return MASK
        for start, values in self._by_start.items():
            at = text.find(start)
            if at >= 0:
                text = self._masked(text, start, values, at, source)
        if ("..." in text or "…" in text) and not source:
            text = self._without_halves(text)
        return text

    def _masked(self, text: str, start: str, values: list[str], at: int, source: bool) -> str:
        found: list[str] = []
        done = 0
        while at >= 0:
            end = self._end_of(text, at, values, source)
            if end is None:
                at = text.find(start, at + 1)
                continue
            found += (text[done:at], MASK)
            done = end
            at = text.find(start, end)
        return "".join(found) + text[done:] if found else text

    def _end_of(self, text: str, at: int, values: list[str], source: bool) -> int | None:
        """The end of the value at ``at``, or None if there is no value."""
        if self._compared > _COMPARISONS_MAX:
            return None if source else at + LENGTH_MIN
        for value in values:
            self._compared += 1
            if text.startswith(value, at):
                end = at + len(value)
            elif not source and value.startswith(text[at : at + len(value)]):
                end = len(text)  # the text was cut inside the value
            else:
                continue
            before, after = text[at - 1 : at], text[end : end + 1]
            if source or value in self._weak:
                if not (before and before in "\"'=" and (not after or after in "\"'&")):
                    continue
                if source and (value in self._weak or before == "=" or not after):
                    continue
            elif value.isdigit() and (before.isalnum() or after.isalnum()):
                continue  # part of a longer number or an id
            return end
        return None

    def _without_halves(self, text: str) -> str:
        """Mask both halves of a value around a cut: ``input_value='abcdefg...uvwxyz'``."""
        found: list[str] = []
        done = 0
        for cut in _CUT.finditer(text):
            self._cuts += 1
            if self._cuts > _CUTS_MAX:
                break
            half = self._half_before(text, max(done, cut.start() - 400), cut.start())
            if half is None:
                continue
            value, at = half
            tail = _TAIL.match(text, cut.end())
            found += (text[done:at], MASK, cut[0])
            done = cut.end()
            if tail and value.endswith(_EDGE.sub("", tail[0])):
                done = tail.end()
        return "".join(found) + text[done:] if found else text

    def _half_before(self, text: str, begin: int, end: int) -> tuple[str, int] | None:
        window = text[begin:end]
        for start, values in self._by_start.items():
            at = window.find(start)
            while at >= 0 and self._compared <= _COMPARISONS_MAX:
                for value in values:
                    self._compared += 1
                    if value not in self._weak and value.startswith(window[at:]):
                        return value, begin + at
                at = window.find(start, at + 1)
        return None
