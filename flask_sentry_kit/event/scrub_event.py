"""Scrubs a finished event of sentry-sdk, so that what docs/masking.md says is true of it too.

It knows the shape of such an event, as ``before_send`` gets it, and nothing of the SDK. An event
that the kit builds is scrubbed while it is built.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

from werkzeug.wrappers import Request

from ..containment import FOREIGN_ERRORS
from . import interfaces as events
from .masked_values import MaskedValues
from .masked_walk import PROGRAM_CONTEXTS, SPAN_FACTS, is_named_by_address
from .request import described_request, masked_url
from .scrub import MASK, Scrubber
from .shown_frames import ShownFrames
from .shown_values import ShownValues, ShownVariables, is_fact, items_of

VARIABLES_MAX: Final = 100_000
"""Characters of variables that are scrubbed in one event, the innermost frames' first. A text that
stands in many places counts once. What is beyond is masked."""
_FACTS_MAX: Final = 80_000  # request, extra, contexts, tags and all that has no budget of its own
_TRAIL_MAX: Final = 150_000  # breadcrumbs and spans
_MESSAGES_MAX: Final = 30_000
_EVENT_KEYS: Final = 100
_VALUES_MAX: Final = 1_000  # exceptions, threads, breadcrumbs; the SDK sends 100 breadcrumbs
_SPANS_MAX: Final = 2_000
_FRAMES_MAX: Final = 2_000

# Parts that hold facts about the program or the event. Of other types than these they are scrubbed.
_FACTS: Final = frozenset(
    "event_id timestamp start_timestamp platform level logger server_name release environment dist"
    " type sdk modules transaction_info check_in_id monitor_slug monitor_config".split()
)
_USER_TEXTS: Final = ("id", "username", "email", "name", "ip_address")
_ARGUMENT: Final = re.compile(r"<(?:[^<>:]{1,200}:)?(\w{1,100})>")  # of Werkzeug's rules
_FEEDBACK_WORDS: Final = ("message", "name", "contact_email", "associated_event_id", "source")


def scrub_event(
    event: dict[str, Any],
    scrubber: Scrubber,
    *,
    noted: MaskedValues | None = None,
    request: Request | None = None,
) -> None:
    """Mask in place what an event of sentry-sdk may not hold. Never raises.

    A part that cannot be scrubbed is replaced by the mask.

    :param event: JSON values, after the SDK serialised them.
    :param noted: the values that the SDK's own scrubber has removed since (``noted_secrets``).
    :param request: the request that the event is about. Its secrets are masked where they are
        repeated, also those that the SDK does not send.
    """
    try:
        _Scrub(event, scrubber, noted or MaskedValues(), request).run()
    except FOREIGN_ERRORS:
        _leave_outline(event)


def _leave_outline(event: dict[str, Any]) -> None:
    """Leave only facts that no value of the app's can be in."""
    try:
        kept = {name: event[name] for name in ("event_id", "timestamp", "level") if name in event}
        event.clear()
        event.update({name: one for name, one in kept.items() if type(one) is str}, message=MASK)
    except FOREIGN_ERRORS:
        pass  # not a dict


class _Scrub:
    """One pass over an event."""

    def __init__(
        self,
        event: dict[str, Any],
        scrubber: Scrubber,
        masked: MaskedValues,
        request: Request | None,
    ) -> None:
        self._event = event
        self._scrubber = scrubber
        self._masked = masked
        self._request = request
        self._variables = ShownVariables(scrubber, masked, VARIABLES_MAX)
        self._values = ShownValues(scrubber, masked, _FACTS_MAX)
        self._trail = ShownValues(scrubber, masked, _TRAIL_MAX)
        self._messages = ShownValues(scrubber, masked, _MESSAGES_MAX)
        self._frames = ShownFrames(scrubber, self._variables, self._values)
        self._parts: dict[str, Callable[[Any], Any]] = {
            "exception": self._exceptions,
            "threads": self._exceptions,
            "stacktrace": self._stacktrace,
            "logentry": self._logentry,
            "message": self._message,
            "request": self._http,
            "user": self._user,
            "extra": self._extra,
            "contexts": self._contexts,
            "breadcrumbs": self._breadcrumbs,
            "spans": self._spans,
            "transaction": self._transaction,
            "_meta": self._meta,
        }

    def run(self) -> None:
        event = self._event
        if self._request is not None:
            self._masked.note_request(self._request, self._scrubber)
        for place, name in enumerate(list(event)):
            event[name] = MASK if place > _EVENT_KEYS else self._part(name, event[name])
        walk = self._masked.walk(event)
        if walk is not None:
            for name in event:
                event[name] = _attempt(walk.part, name, event[name])
            if is_named_by_address(event):
                event["transaction"] = _attempt(walk.value, event.get("transaction"))

    def _part(self, name: Any, value: Any) -> Any:
        make = self._parts.get(name) if type(name) is str else None
        if make is not None:
            return value if value is None else _attempt(make, value)
        if name in _FACTS and is_fact(value):
            return value
        return _attempt(self._values.named, name, value)

    # exceptions and their frames

    def _exceptions(self, interface: Any) -> Any:
        return self._each(interface, self._exception, _VALUES_MAX)

    def _each(self, interface: Any, make: Callable[[Any], Any], most: int) -> Any:
        """An interface with ``values``, or a list. The last values are the latest ones."""
        if type(interface) is dict:
            shown = {
                name: self._values.named(name, one)
                for name, one in items_of(interface)
                if name != "values"
            }
            if "values" in interface:
                shown["values"] = self._each(interface["values"], make, most)
            return shown
        if not isinstance(interface, list | tuple):
            return self._values.value(interface)
        latest = list(interface[-most:])
        latest.reverse()
        made = [one if one is None else _attempt(make, one) for one in latest]
        made.reverse()
        return made

    def _exception(self, given: Any) -> Any:
        if type(given) is not dict:
            return self._values.value(given)
        shown: dict[str, Any] = {}
        for name, value in items_of(given):
            if name == "stacktrace":
                shown[name] = _attempt(self._stacktrace, value)
            elif name == "value" and type(value) is str:
                shown[name] = _attempt(self._message, value)
            elif name in ("type", "module") and is_fact(value):
                shown[name] = value
            else:
                shown[name] = _attempt(self._values.named, name, value)
        return shown

    def _stacktrace(self, given: Any) -> Any:
        if type(given) is not dict or not isinstance(given.get("frames"), list | tuple):
            return self._values.value(given)
        shown = {
            name: self._values.named(name, one) for name, one in items_of(given) if name != "frames"
        }
        shown["frames"] = self._each(given["frames"], self._frames.frame, _FRAMES_MAX)
        return shown

    # texts

    def _message(self, given: Any) -> Any:
        if type(given) is dict:
            return self._logentry(given)
        if type(given) is not str:
            return self._values.value(given)
        if self._messages.left <= 0:
            return MASK
        shown = events.message(given, self._messages)
        self._messages.left -= len(shown)
        return shown

    def _logentry(self, given: Any) -> Any:
        if type(given) is not dict:
            return self._values.value(given)
        entry = events.logentry(given, self._values)
        for name, value in items_of(given):
            if name not in ("message", "formatted", "params"):
                entry[name] = self._values.named(name, value)
        return entry

    def _transaction(self, name: Any) -> Any:
        if type(name) is not str:
            return self._values.value(name)
        if is_named_by_address(self._event):
            return self._scrubber.short_url(name, 2_000)
        return name  # of a rule or a function

    # what a visitor sent, and what the app added

    def _http(self, given: Any) -> Any:
        if type(given) is not dict:
            return self._values.value(given)
        self._note_request(given)
        shown = described_request(given, self._values)
        request = self._request
        if request is not None and given.get("url") in (request.base_url, request.url):
            shown["url"] = self._scrubber.short_url(masked_url(request, self._scrubber), 2_000)
        elif type(shown.get("url")) is str:
            shown["url"] = self._without_rule_secrets(given["url"], shown["url"])
        data = given.get("data")
        if type(data) is str:
            shown["data"] = self._body(data, given.get("headers"), shown["data"])
        return shown

    def _without_rule_secrets(self, url: str, shown: str) -> str:
        """An address without the values of a rule such as ``/reset/<token>``. The SDK knows the
        rule as the transaction's name if its ``transaction_style`` is ``url``."""
        rule = self._event.get("transaction")
        if type(rule) is not str or "<" not in rule or "<path:" in rule or len(rule) > 1_000:
            return shown
        names = rule.split("/")[1:]
        segments, values = shown.split("/"), url.partition("?")[0].split("/")
        if len(segments) != len(values) or len(values) < len(names) + 3:
            return shown
        for place, name in enumerate(names, start=len(segments) - len(names)):
            found = _ARGUMENT.fullmatch(name)
            if found is not None and self._scrubber.hides(found[1]):
                self._masked.note(unquote(values[place]))
                segments[place] = MASK
        return "/".join(segments)

    def _body(self, data: str, headers: Any, shown: Any) -> Any:
        kind = str(headers.get("Content-Type", "")) if type(headers) is dict else ""
        if kind.startswith("application/x-www-form-urlencoded"):
            self._masked.note_query(data, self._scrubber)
            return self._scrubber.short_query(data, 8_000)
        return shown

    def _note_request(self, given: dict[str, Any]) -> None:
        headers, cookies, query = map(given.get, ("headers", "cookies", "query_string"))
        if type(headers) is dict:
            for name, value in headers.items():
                if type(value) is str and name.lower() != "cookie" and self._scrubber.hides(name):
                    self._masked.note_header(value)
        if type(cookies) is dict:
            texts = {name: one for name, one in cookies.items() if type(one) is str}
            self._masked.note_cookies(texts, self._scrubber)
        if type(query) is str:
            self._masked.note_query(query, self._scrubber)
        if type(given.get("url")) is str:
            self._masked.note_path(given["url"].partition("?")[0], self._scrubber)

    def _user(self, given: Any) -> Any:
        if type(given) is not dict:
            return self._values.value(given)
        return {
            name: _attempt(self._values.value if name in _USER_TEXTS else self._named(name), one)
            for name, one in items_of(given)
        }

    def _named(self, name: Any) -> Callable[[Any], Any]:
        return lambda value: self._values.named(name, value)

    def _extra(self, given: Any) -> Any:
        if type(given) is dict and "sys.argv" in given:
            given = {name: one for name, one in items_of(given) if name != "sys.argv"}
        return self._values.value(given)

    def _contexts(self, given: Any) -> Any:
        if type(given) is not dict:
            return self._values.value(given)
        return {name: _attempt(self._context, name, one) for name, one in items_of(given)}

    def _context(self, name: Any, context: Any) -> Any:
        if type(context) is not dict:
            return self._values.named(name, context)
        if name == "trace":
            return self._span(context)
        if name == "feedback":
            # A visitor wrote these words to be read.
            return {
                key: one
                if key in _FEEDBACK_WORDS and type(one) is str
                else self._values.named(key, one)
                for key, one in items_of(context)
            }
        if name not in PROGRAM_CONTEXTS and self._scrubber.hides(str(name)):
            # A context has to stay a dict.
            return {key: self._values.named(name, one) for key, one in items_of(context)}
        return self._values.value(context)

    # breadcrumbs and spans

    def _breadcrumbs(self, interface: Any) -> Any:
        return self._each(interface, self._breadcrumb, _VALUES_MAX)

    def _breadcrumb(self, crumb: Any) -> Any:
        if type(crumb) is not dict:
            return self._trail.value(crumb)
        shown: dict[str, Any] = {}
        for name, value in items_of(crumb):
            if name in ("type", "level", "timestamp") and is_fact(value):
                shown[name] = value
            elif name == "data":
                shown[name] = self._trail.statement_data(crumb.get("message"), value)
            else:
                shown[name] = self._trail.named(name, value)
        return shown

    def _spans(self, spans: Any) -> Any:
        return self._each(spans, self._span, _SPANS_MAX)

    def _span(self, span: Any) -> Any:
        if type(span) is not dict:
            return self._trail.value(span)
        shown: dict[str, Any] = {}
        for name, value in items_of(span):
            if name in SPAN_FACTS and is_fact(value):
                shown[name] = value
            elif name == "description" and type(value) is str:
                shown[name] = self._trail.address(value)
            elif name == "data":
                shown[name] = self._trail.statement_data(span.get("description"), value)
            else:
                shown[name] = self._trail.named(name, value)
        return shown

    def _meta(self, given: Any, depth: int = 0) -> Any:
        """The SDK's notes about what it cut: names, numbers and words of its own."""
        if type(given) is dict and depth < 30:
            return {
                self._values.text(name): self._meta(one, depth + 1) for name, one in items_of(given)
            }
        return self._values.value(given)


def _attempt(make: Callable[..., Any], *values: Any) -> Any:
    """What ``make`` makes of the values, or the mask if it raises."""
    try:
        return make(*values)
    except FOREIGN_ERRORS:
        return MASK
