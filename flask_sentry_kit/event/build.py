"""Builds one event from the error, the request, the user and the context.

It is called once it is decided that there is an event. It decides nothing and sends nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.metadata import distributions
from typing import Any

from flask import has_request_context, request
from werkzeug.wrappers import Request

from ..containment import FOREIGN_ERRORS, contained
from ..user import user_facts
from . import interfaces as events
from . import worker_timeout
from .event_id import new_event_id
from .frames import calling_frame
from .masked_values import MaskedValues, is_visitor_header
from .occurrence import EventOptions, Occurrence
from .request import described_request, http_interface
from .scope import Environ, running_environ
from .scrub import Scrubber
from .serialize import Serializer, cut, safe_str, type_name

logger = logging.getLogger("flask_sentry_kit")


def build_event(occurrence: Occurrence, options: EventOptions) -> dict[str, Any]:
    """The event of an occurrence, bounded and scrubbed. ``encode`` turns it into JSON.

    :raises: any exception that the app's own values raise in a place that does not guard against
        it. The caller then sends ``outline_event`` instead.
    """
    return _Event(occurrence, options).build()


def outline_event(occurrence: Occurrence, options: EventOptions) -> dict[str, Any]:
    """The smallest possible event, for when building the complete one failed."""
    error = occurrence.error
    if error is not None:
        message = f"{type_name(type(error))}: {_text(error, options.scrubber)}"
    else:
        given = occurrence.message or (occurrence.entry or {}).get("message", "")
        message = _text(given, options.scrubber)
    return {**_core(occurrence, options), "level": "error", "message": message}


def _core(occurrence: Occurrence, options: EventOptions) -> dict[str, Any]:
    contexts: dict[str, Any] = {"runtime": events.RUNTIME}
    if options.app_name:
        # The attribute of Sentry's App Context (develop.sentry.dev, "Contexts Interface").
        contexts["app"] = {"app_name": options.app_name}
    return {
        "event_id": new_event_id(),
        "timestamp": events.timestamp(occurrence.date),
        "project": options.project,
        "platform": "python",
        "sdk": options.sdk,
        "server_name": options.server_name,
        "contexts": contexts,
    }


def _text(value: Any, scrubber: Scrubber) -> str:
    text = scrubber.text(safe_str(value)[: events.MESSAGE_MAX + 200])
    return cut(text, events.MESSAGE_MAX)


class _Event:
    """Holds the parts of one event while it is built."""

    def __init__(self, occurrence: Occurrence, options: EventOptions) -> None:
        self._occurrence = occurrence
        self._options = options
        self._data = dict(occurrence.data)
        self._masked = MaskedValues()
        # Locals have their own budget, so that a large frame cannot crowd out the request.
        self._frames = self._serializer(64_000)
        self._facts = self._serializer(48_000)
        self._event: dict[str, Any] = {}

    def _serializer(self, budget: int) -> Serializer:
        return Serializer(
            self._options.scrubber,
            string_max=min(self._options.string_max, 10_000),
            list_max=min(self._options.list_max, 200),
            budget=budget,
            masked_values=self._masked,
        )

    def build(self) -> dict[str, Any]:
        occurrence, data, event = self._occurrence, self._data, self._event
        event.update(_core(occurrence, self._options))
        event["level"] = events.level_name(data.pop("level", None) or occurrence.level or 40)
        if occurrence.error is not None:
            self._add_exception(occurrence.error)
        elif occurrence.entry is not None:
            entry = event["logentry"] = events.logentry(occurrence.entry, self._facts)
            event["message"] = entry.get("formatted") or entry["message"]
        else:
            for name, value in (occurrence.interfaces or {}).items():
                event[name] = self._facts.named(name, value)
            event["message"] = events.message(safe_str(occurrence.message), self._facts)
        self._add_stack()
        self._add_request()
        self._add_context()
        if occurrence.error is not None and worker_timeout.is_worker_timeout(occurrence.error):
            worker_timeout.group(event)
        if occurrence.time_spent is not None:
            event["time_spent"] = occurrence.time_spent
        crumbs = occurrence.scope.breadcrumbs.get_buffer()
        if crumbs:
            event["breadcrumbs"] = events.breadcrumbs(crumbs, self._serializer(20_000))
        if self._options.include_versions:
            event["modules"] = _versions()
        if not self._options.pii:
            _leave_out_visitor(event)
        self._masked.mask(event)
        if "message" not in event:
            # This comes last because the names of types in it are never masked.
            event["message"] = cut(events.title(event["exception"]), events.MESSAGE_MAX)
        return event

    def _add_exception(self, error: BaseException) -> None:
        occurrence, event = self._occurrence, self._event
        event["exception"] = events.exception_interface(
            error, self._options.stacks, self._frames, handled=occurrence.handled
        )
        if worker_timeout.is_worker_timeout(error):
            worker_timeout.describe(event["exception"]["values"][-1], error)
        entry = self._data.pop("logentry", None)
        if isinstance(entry, Mapping):
            event["logentry"] = events.logentry(entry, self._facts)
        if occurrence.message is not None:
            event["message"] = events.message(safe_str(occurrence.message), self._facts)

    def _add_stack(self) -> None:
        if "exception" in self._event:
            return
        stack = self._occurrence.stack
        if stack is None:
            stack = self._options.auto_log_stacks
        if stack:
            stacktrace = self._options.stacks.of_frame(calling_frame(), self._frames)
            if stacktrace is not None:
                self._event["stacktrace"] = stacktrace

    def _add_request(self) -> None:
        event, context, pii = self._event, self._occurrence.scope.data, self._options.pii
        user: dict[str, Any] = {}
        request_ = running_request(self._occurrence.environ)
        if request_ is not None:
            self._masked.note_request(request_, self._options.scrubber)
            if not pii:
                self._masked.note_visitor(request_)
            try:
                event["request"] = self._describe_request(request_)
                rule = getattr(request_, "url_rule", None)
                if rule is not None:
                    event["transaction"] = cut(safe_str(rule.rule), 200)
                if request_.remote_addr and pii and self._options.describe_user is None:
                    user["ip_address"] = cut(request_.remote_addr, 45)
            except FOREIGN_ERRORS:
                # Any attribute of an app's own request class may raise.
                logger.exception("The request could not be described; the event is sent without it")
        elif self._occurrence.transaction:
            event["transaction"] = cut(safe_str(self._occurrence.transaction), 200)
        if has_request_context():
            try:
                user.update(self._describe_user())
            except FOREIGN_ERRORS:
                logger.exception("The user could not be described; the event is sent without it")
        if context.get("user"):
            user.update(self._facts.value(dict(context["user"])))
        if context.get("request"):
            event["request"] = self._shown_request(context["request"])
        if user:
            event["user"] = user

    def _describe_request(self, request_: Request) -> dict[str, Any]:
        failed = not self._occurrence.handled
        if self._options.describe_request is None:
            return http_interface(request_, self._facts, failed=failed)
        return described_request(self._options.describe_request(request_, failed), self._facts)

    def _describe_user(self) -> dict[str, Any]:
        options = self._options
        if options.describe_user is not None:
            request_ = running_request(None)
            facts = {} if request_ is None else dict(options.describe_user(request_))
            address = facts.pop("ip_address", None)
            found = events.user(facts, self._facts, login=False)
            return {**found, "ip_address": cut(safe_str(address), 45)} if address else found
        facts = user_facts(options.user_attributes, options.user)
        return events.user(facts, self._facts, login=options.user is None)

    def _shown_request(self, given: Any) -> Any:
        if isinstance(given, Mapping):
            with contained("A request that the app described could not be read"):
                return described_request(given, self._facts)
        return self._facts.value(given)

    def _add_context(self) -> None:
        event, options, data = self._event, self._options, self._data
        context = self._occurrence.scope.data
        if options.release is not None:
            event["release"] = cut(safe_str(options.release), 200)
        if options.environment is not None:
            event["environment"] = cut(safe_str(options.environment), 64)
        if options.repos:
            event["repos"] = self._facts.value(options.repos)
        event["tags"] = events.tags(
            options.tags,
            context.get("tags"),
            data.pop("tags", None),
            self._occurrence.tags,
            serializer=self._facts,
        )
        site = data.pop("site", None) or options.site
        if site:
            event["tags"].setdefault("site", cut(safe_str(site), 200))
        merged = {
            **(options.extra or {}),
            **(context.get("extra") or {}),
            **(data.pop("extra", None) or {}),
            **(self._occurrence.extra or {}),
        }
        if merged:
            event["extra"] = self._facts.value(merged)
        user = data.pop("user", None)
        if isinstance(user, Mapping):
            event["user"] = {**event.get("user", {}), **self._facts.value(dict(user))}
        # raven's other keys (culprit, fingerprint, logger …): the event's override the context's.
        for name, value in {**context, **data}.items():
            if name not in ("tags", "extra", "user", "request"):
                event[safe_str(name)] = self._facts.named(safe_str(name), value)
        if "request" in data:
            event["request"] = self._shown_request(data["request"])
        if "culprit" in event and "culprit" in data:
            event.pop("transaction", None)


def _leave_out_visitor(event: dict[str, Any]) -> None:
    """Remove the visitor's address and Referer from all parts (``SENTRY_KIT_PII = False``)."""
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
    """The current request, or the environ's if Flask's context has ended, or None."""
    if has_request_context():
        current: Request = request._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
        return current
    environ = running_environ() if environ is None else environ
    if environ is None:
        return None
    # Werkzeug stores the request in the environ that it was made from.
    known = environ.get("werkzeug.request")
    return known if isinstance(known, Request) else Request(dict(environ), populate_request=False)


def _versions() -> dict[str, str]:
    # Read from the installed packages. raven imports the app's modules again to get versions.
    found = {"python": events.RUNTIME["version"]}
    for distribution in distributions():
        name = distribution.metadata["Name"]
        if name:
            found[name.lower()] = distribution.version
    return found
