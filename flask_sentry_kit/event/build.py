"""One event, gathered from everything that knows something of it: error, request, user, context.

Called once it is decided that there shall be an event; decides nothing and sends nothing.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib.metadata import distributions
from typing import TYPE_CHECKING, Any, Final

import raven
from flask import has_request_context, request
from werkzeug.wrappers import Request

from ..user import user_facts
from . import interfaces as events
from .error_texts import named_parameters
from .frames import calling_frame
from .masked_values import MaskedValues, is_visitor_header
from .request import http_interface
from .scope import Environ, Scope, current_environ
from .scrub import MASK
from .serialize import HOSTILE, Serializer, cut, safe_str, type_name

if TYPE_CHECKING:
    from ..reporters.raven.client import Client

logger = logging.getLogger("flask_sentry_kit")

SDK: Final = {"name": "raven-python", "version": raven.VERSION}

_EVENT_CLASSES: Final = "raven.events."


class EventBuilder:
    """Builds the events of one client.

    :param processors: raven's ``processors``: paths or classes of the app's own, run last.
    """

    def __init__(self, client: Client, processors: Iterable[Any]) -> None:
        self._client = client
        self._processors = tuple(self._made(processors))

    def build(
        self,
        event_type: str,
        data: dict[str, Any],
        error: BaseException | None,
        scope: Scope,
        environ: Environ | None,
        kwargs: dict[str, Any],
        *,
        date: datetime | None,
        time_spent: int | None,
        extra: Mapping[str, Any] | None,
        stack: Any,
        tags: Mapping[str, Any] | None,
        handled: bool,
    ) -> dict[str, Any]:
        # Locals have a budget of their own, so that a large frame cannot crowd out the request.
        masked = MaskedValues()
        stacks, facts = self._serializer(64_000, masked), self._serializer(48_000, masked)
        context = scope.data
        event: dict[str, Any] = {
            **self._core(date),
            "level": events.level_name(data.pop("level", None) or kwargs.get("level") or 40),
        }
        if error is not None:
            event["exception"] = events.exception_interface(
                error, self._client.stacks, stacks, handled=handled
            )
            entry = data.pop("logentry", None)
            if isinstance(entry, Mapping):
                event["logentry"] = self._logentry(entry, facts)
            if kwargs.get("message") is not None:
                event["message"] = events.message(safe_str(kwargs["message"]), facts)
        elif event_type == "raven.events.Message" and "message" in kwargs:
            self._add_message(event, kwargs, facts)
        else:
            self._add_other(event, event_type, kwargs, facts)
        self._add_stack(event, stack, stacks)
        self._add_request(event, context, running_request(environ), facts, handled)
        self._add_context(event, data, context, facts, extra, tags)
        if time_spent is not None:
            event["time_spent"] = time_spent
        crumbs = scope.breadcrumbs.get_buffer() if self._client.enable_breadcrumbs else ()
        if crumbs:
            event["breadcrumbs"] = events.breadcrumbs(crumbs, self._serializer(20_000, masked))
        if self._client.include_versions:
            event["modules"] = _versions()
        settings = self._client.settings
        if settings is not None and not settings.pii:
            _leave_out_visitor(event)
        masked.mask(event)
        if "message" not in event:
            # Made last: the names of types in it are never masked.
            event["message"] = cut(events.title(event["exception"]), events.MESSAGE_MAX)
        return event

    def outline(self, error: BaseException | None, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The least an event can be, for when building the whole one failed."""
        if error is not None:
            message = f"{type_name(type(error))}: {self._text(error)}"
        else:
            message = self._text(kwargs.get("message", ""))
        return {**self._core(None), "level": "error", "message": message}

    def _core(self, date: datetime | None) -> dict[str, Any]:
        client = self._client
        return {
            "event_id": uuid.uuid4().hex,
            "timestamp": events.timestamp(date),
            "project": client.dsn.project if client.dsn else None,
            "platform": "python",
            "sdk": SDK,
            "server_name": client.name,
            "contexts": {"runtime": events.RUNTIME},
        }

    def _serializer(self, budget: int, masked: MaskedValues) -> Serializer:
        return Serializer(
            self._client.scrubber,
            string_max=min(self._client.string_max_length, 10_000),
            list_max=min(self._client.list_max_length, 200),
            budget=budget,
            masked_values=masked,
        )

    def _add_message(
        self, event: dict[str, Any], kwargs: Mapping[str, Any], serializer: Serializer
    ) -> None:
        entry = self._logentry(kwargs, serializer)
        event["logentry"] = entry
        event["message"] = entry.get("formatted") or entry["message"]

    def _logentry(self, given: Mapping[str, Any], serializer: Serializer) -> dict[str, Any]:
        """Sentry's ``logentry`` of a message, its params and what they made of it."""
        entry: dict[str, Any] = {}
        params = given.get("params")
        template = safe_str(given.get("message") or "")
        hidden: list[int] = []
        if isinstance(params, tuple | list) and params:
            hidden = named_parameters(template, len(params), serializer.scrubber)
            for place in hidden:
                if serializer.masked_values is not None:
                    serializer.masked_values.note(params[place])
        masked = False
        for name in ("message", "formatted"):
            if given.get(name) is not None:
                entry[name] = events.message(safe_str(given[name]), serializer)
                masked = masked or MASK in entry[name]
        # Of "password=%s" the password is one of the params, and none of them says which.
        if params and not masked:
            if hidden:
                params = [MASK if at in hidden else one for at, one in enumerate(params)]
            entry["params"] = serializer.value(params)
        return entry

    def _text(self, value: Any) -> str:
        return cut(
            self._client.scrubber.text(safe_str(value)[: events.MESSAGE_MAX + 200]),
            events.MESSAGE_MAX,
        )

    def _add_other(
        self,
        event: dict[str, Any],
        event_type: str,
        kwargs: Mapping[str, Any],
        serializer: Serializer,
    ) -> None:
        # raven.events.Query, or a class of the app's own given by its path.
        path = event_type if "." in event_type else f"{_EVENT_CLASSES}{event_type}"
        handler = self._client.get_handler(path)
        result = dict(handler.capture(**kwargs))
        event.update((name, serializer.named(name, value)) for name, value in result.items())
        text = safe_str(kwargs.get("message") or handler.to_string(result))
        event["message"] = events.message(text, serializer)

    def _add_stack(self, event: dict[str, Any], stack: Any, serializer: Serializer) -> None:
        if "exception" in event:
            return
        if stack is None:
            stack = self._client.auto_log_stacks
        if stack:
            stacktrace = self._client.stacks.of_frame(calling_frame(), serializer)
            if stacktrace is not None:
                event["stacktrace"] = stacktrace

    def _add_request(
        self,
        event: dict[str, Any],
        context: Mapping[str, Any],
        request_: Request | None,
        serializer: Serializer,
        handled: bool,
    ) -> None:
        user: dict[str, Any] = {}
        settings = self._client.settings
        pii = settings is None or settings.pii
        if request_ is not None:
            if serializer.masked_values is not None:
                serializer.masked_values.note_request(request_, serializer.scrubber)
                if not pii:
                    serializer.masked_values.note_visitor(request_)
            try:
                event["request"] = http_interface(request_, serializer, failed=not handled)
                rule = getattr(request_, "url_rule", None)
                if rule is not None:
                    event["transaction"] = cut(safe_str(rule.rule), 200)
                if request_.remote_addr and pii:
                    user["ip_address"] = cut(request_.remote_addr, 45)
            except HOSTILE:
                # An app's own request class may raise anywhere.
                logger.exception("The request could not be described; the event goes without it")
        else:
            transaction = self._client.transaction.peek()
            if transaction:
                event["transaction"] = cut(safe_str(transaction), 200)
        if has_request_context():
            custom = settings.user if settings else None
            try:
                facts = user_facts(self._user_attributes(), custom)
                user.update(events.user(facts, serializer, login=custom is None))
            except HOSTILE:
                logger.exception("The user could not be described; the event goes without")
        if context.get("user"):
            user.update(serializer.value(dict(context["user"])))
        if context.get("request"):
            event["request"] = serializer.value(context["request"])
        if user:
            event["user"] = user

    def _user_attributes(self) -> tuple[str, ...]:
        app = self._client.app
        names = app.config.get("SENTRY_USER_ATTRS") if app is not None else None
        return tuple(names or ())

    def _add_context(
        self,
        event: dict[str, Any],
        data: dict[str, Any],
        context: Mapping[str, Any],
        serializer: Serializer,
        extra: Mapping[str, Any] | None,
        tags: Mapping[str, Any] | None,
    ) -> None:
        if self._client.release is not None:
            event["release"] = cut(safe_str(self._client.release), 200)
        if self._client.environment is not None:
            event["environment"] = cut(safe_str(self._client.environment), 64)
        if self._client.repos:
            event["repos"] = serializer.value(self._client.repos)
        event["tags"] = events.tags(
            self._client.tags,
            context.get("tags"),
            data.pop("tags", None),
            tags,
            serializer=serializer,
        )
        site = data.pop("site", None) or self._client.site
        if site:
            event["tags"].setdefault("site", cut(safe_str(site), 200))
        merged = {
            **(self._client.extra or {}),
            **(context.get("extra") or {}),
            **(data.pop("extra", None) or {}),
            **(extra or {}),
        }
        if merged:
            event["extra"] = serializer.value(merged)
        user = data.pop("user", None)
        if isinstance(user, Mapping):
            event["user"] = {**event.get("user", {}), **serializer.value(dict(user))}
        # raven's other keys (culprit, fingerprint, logger …): this event's win over the context's.
        for name, value in {**context, **data}.items():
            if name not in ("tags", "extra", "user", "request"):
                event[safe_str(name)] = serializer.named(safe_str(name), value)
        if "request" in data:
            event["request"] = serializer.value(data["request"])
        if "culprit" in event and "culprit" in data:
            event.pop("transaction", None)

    def process(self, event: dict[str, Any]) -> None:
        """Have the app's own processors go over an event that is to be sent."""
        for processor in self._processors:
            try:
                event.update(processor.process(event) or {})
            except HOSTILE:
                # It was to take something out and did not: leave out all it could have meant.
                logger.exception("A processor failed; the event goes without request and locals")
                for name in ("request", "extra", "breadcrumbs"):
                    event.pop(name, None)
                for value in event.get("exception", {}).get("values", ()):
                    for frame in value.get("stacktrace", {}).get("frames", ()):
                        frame.pop("vars", None)

    def _made(self, paths: Iterable[Any]) -> Iterable[Any]:
        for path in paths:
            # Ours does what these two do, with a longer list.
            if path not in (
                "raven.processors.SanitizePasswordsProcessor",
                "raven.processors.SanitizeKeysProcessor",
            ):
                yield (
                    self._client.module_cache[path](self._client)
                    if isinstance(path, str)
                    else path(self._client)
                )


def _leave_out_visitor(event: dict[str, Any]) -> None:
    """Take out where a visitor comes from (``SENTRY_KIT_PII = False``), whoever put it in."""
    request_, user = event.get("request"), event.get("user")
    if isinstance(user, dict):
        user.pop("ip_address", None)
        if not user:
            del event["user"]
    if not isinstance(request_, dict):
        return
    env, headers = request_.get("env"), request_.get("headers")
    if isinstance(env, dict):
        for name in list(env):
            if is_visitor_header(name.removeprefix("HTTP_").replace("_", "-")):
                del env[name]
    if isinstance(headers, dict):
        for name in list(headers):
            if is_visitor_header(name):
                del headers[name]


def running_request(environ: Environ | None) -> Request | None:
    """The request at hand, or the one of an environ where Flask's context is gone; else None."""
    if has_request_context():
        current: Request = request._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
        return current
    environ = current_environ.get() if environ is None else environ
    if environ is None:
        return None
    # Werkzeug leaves the request that was made of an environ in it.
    known = environ.get("werkzeug.request")
    return known if isinstance(known, Request) else Request(dict(environ), populate_request=False)


def _versions() -> dict[str, str]:
    # From what is installed; raven imported the app's modules again to ask them.
    found = {"python": events.RUNTIME["version"]}
    for distribution in distributions():
        name = distribution.metadata["Name"]
        if name:
            found[name.lower()] = distribution.version
    return found
