"""raven's ``Client`` with our implementation: the same methods without the side effects.

It captures exceptions, decides what to report, builds the event and passes it on for sending. Our
own faults never raise into the app. Nothing is hooked globally unless an option asks for it.
"""

from __future__ import annotations

import logging as stdlib_logging
import os
import random
import sys
import weakref
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

import raven
import raven.base
from flask import Flask, current_app, has_app_context
from raven.conf import defaults

from ...containment import FOREIGN_ERRORS, log_exception
from ...dsn import Dsn
from ...event.build import build_event, outline_event
from ...event.event_facts import EventFacts, LatestEvents
from ...event.frames import Stacks
from ...event.occurrence import EventOptions, Occurrence
from ...event.scope import Environ
from ...event.scrub import Scrubber
from ...event.serialize import safe_repr
from ...outbox import Outbox, diversion
from ...settings import Settings
from ...threads import lock_at_use
from ..exceptions import exception_of
from . import breadcrumbs, excepthook, logs
from .client_facts import configured_facts, current_facts
from .context import Context
from .hooks import Hooks
from .ignored import is_ignored
from .options import make_outbox, transport_options
from .processors import Processors
from .sending import hand_over, send, warn_of_what_is_never_called
from .transport import OutboxTransport, remote_config

logger = stdlib_logging.getLogger("flask_sentry_kit")

SDK: Final = {"name": "raven-python", "version": raven.VERSION}


class Client(raven.base.Client):  # type: ignore[misc]  # raven carries no types
    """A safe version of raven's client with every documented method and option, within bounds.

    :param app: the app whose user, address and settings are reported, or None outside Flask.
    :param strict_paths: only ``include_paths`` are the app's own code.

    raven's options keep their meaning. ``install_sys_hook``, ``install_logging_hook``,
    ``hook_libraries``, ``enable_breadcrumbs`` and ``include_versions`` are off by default, because
    they slow down healthy requests or affect the whole process.
    """

    def __init__(
        self,
        dsn: str | None = None,
        raise_send_errors: bool = False,
        transport: Any = None,
        install_sys_hook: bool = False,
        install_logging_hook: bool = False,
        hook_libraries: Iterable[str] = (),
        enable_breadcrumbs: bool = False,
        *,
        app: Flask | None = None,
        strict_paths: bool = True,
        **options: Any,
    ) -> None:
        self._dsn: Dsn | None = None
        self._is_constructed = False
        self._app = None if app is None else weakref.ref(app)
        self.hooks = Hooks()
        """The methods that the app's ``Sentry`` overrides."""
        self.settings: Settings | None = None
        """The kit's settings, set when an app is set up."""
        self._outbox: Outbox | None = None
        self._outbox_lock = lock_at_use()
        self._latest = LatestEvents()
        self.timeout = options.get("timeout")
        # sys.argv may contain a password. raven sends it unless ``context`` is given.
        if options.get("context") is None:
            options["context"] = {}
        options.setdefault("include_versions", False)
        singleton = raven.base.Raven
        try:
            super().__init__(
                dsn,
                raise_send_errors,
                transport,
                install_sys_hook=False,
                install_logging_hook=False,
                hook_libraries=(),
                enable_breadcrumbs=enable_breadcrumbs,
                **options,
            )
        finally:
            # raven keeps the first client of a process forever.
            raven.base.Raven = singleton
        self._is_constructed = True
        # raven activates one in the thread that makes the client, and keeps it there forever.
        super().context.deactivate()
        self._scopes = Context(enable_breadcrumbs)
        self.scrubber = Scrubber(self.sanitize_keys or ())
        self.stacks = Stacks(
            self.include_paths,
            self.exclude_paths,
            strict=strict_paths,
            capture_locals=self.capture_locals,
            scrubber=self.scrubber,
        )
        self._processors = Processors(self, options.get("processors") or ())
        warn_of_what_is_never_called(type(self))
        if install_sys_hook:
            self.install_sys_hook()
        if enable_breadcrumbs:
            breadcrumbs.follow(self, raven_logging=install_logging_hook, libraries=hook_libraries)

    def is_enabled(self) -> bool:
        """Whether there is a DSN to report to."""
        # raven's constructor reads it to log that there is none, which the kit logs better.
        return not self._is_constructed or self.dsn is not None

    @property
    def dsn(self) -> Dsn | None:
        """Where events go; None: nothing is reported. A test that collects has one in its place."""
        return self._dsn or diversion.dsn()

    def set_dsn(self, dsn: str | None = None, transport: Any = None) -> None:
        """Change the client's DSN.

        :raises DsnError: the text shows no secret.
        """
        text = os.environ.get("SENTRY_DSN") if dsn is None else dsn
        self.switched_off = text == ""
        self._dsn = Dsn.parse(text) if text else None
        # Looked up by name, because the registry has raven's own transports, not ours.
        self.transport_class = transport or OutboxTransport
        self.remote = remote_config(self._dsn, self.transport_class)

    def get_public_dsn(self, scheme: str | None = None) -> str | None:
        """The public DSN for browsers, without a scheme as in raven, or with the given scheme."""
        return None if self.dsn is None else self.dsn.public_with(scheme)

    @property
    def outbox(self) -> Outbox:
        """The queue of this client's events and the feedback on them."""
        if self._outbox is None:
            with self._outbox_lock.get():
                if self._outbox is None:
                    self._outbox = self._make_outbox()
        return self._outbox

    def _make_outbox(self) -> Outbox:
        settings = self.settings
        given = {"timeout": self.timeout or defaults.TIMEOUT, **transport_options(self.dsn)}
        return make_outbox(
            **given,
            spool=settings.spool if settings else None,
            envelopes=settings is not None and settings.server == "spotlight",
            destination=self.dsn.origin if self.dsn else None,
        )

    @property
    def context(self) -> Context:
        """The context of the current work, with raven's interface."""
        return self._scopes

    @property
    def app(self) -> Flask | None:
        """The app that this client reports for."""
        return self._app() if self._app else None

    def event_options(self) -> EventOptions:
        """The client's current settings that affect its events."""
        # A client that was made without an app reports for the current app.
        app: Any = self.app or (current_app if has_app_context() else None)
        settings = self.settings
        return EventOptions(
            scrubber=self.scrubber,
            stacks=self.stacks,
            sdk=SDK,
            project=self.dsn.project if self.dsn else None,
            server_name=self.name,
            app_name=app.name if app else None,
            release=self.release,
            environment=self.environment,
            site=self.site,
            tags=self.tags,
            extra=self.extra,
            repos=self.repos,
            string_max=self.string_max_length,
            list_max=self.list_max_length,
            auto_log_stacks=self.auto_log_stacks,
            include_versions=self.include_versions,
            user_attributes=(app and app.config.get("SENTRY_USER_ATTRS")) or (),
            user=settings.user if settings else None,
            describe_user=self.hooks.user,
            describe_request=self.hooks.request,
            pii=settings is None or settings.pii,
        )

    # capturing an event

    def capture(
        self,
        event_type: str,
        data: Mapping[str, Any] | None = None,
        date: datetime | None = None,
        time_spent: int | None = None,
        extra: Mapping[str, Any] | None = None,
        stack: Any = None,
        tags: Mapping[str, Any] | None = None,
        sample_rate: float | None = None,
        *,
        handled: bool = True,
        environ: Environ | None = None,
        **kwargs: Any,
    ) -> str | None:
        """Capture an event and pass it on for sending.

        The signature and its meaning are raven's, with these additions:

        :param handled: True if the app continues, False for an uncaught exception.
        :param environ: the request's WSGI environ, for use when Flask's context has ended.
        :returns: the id of the one event for this exception or message, also if it was captured
            before; None without one: disabled, ignored, sampled out, or not accepted for sending.
        """
        if not self.is_enabled():
            return None
        try:
            with logs.capturing():
                occurrence = Occurrence(
                    scope=self._scopes.scope(environ),
                    data=data or {},
                    date=date,
                    time_spent=time_spent,
                    extra=extra,
                    stack=stack,
                    tags=tags,
                    level=kwargs.get("level"),
                    message=kwargs.get("message"),
                    handled=handled,
                    environ=environ,
                )
                rate = self.sample_rate if sample_rate is None else sample_rate
                if "exc_info" in kwargs:
                    return self._capture_exception(occurrence, kwargs["exc_info"], rate)
                return self._send(occurrence, rate, partial(self._describe, event_type, kwargs))
        except FOREIGN_ERRORS:
            log_exception("An event could not be captured and is lost; the app continues")
            self.refuse("an event could not be captured")
            self._give_up(kwargs.get("exc_info"), environ)
            return None

    def _give_up(self, exc_info: Any, environ: Environ | None) -> None:
        """Mark this exception as handled, because the page captures it again after the signal."""
        try:
            error = exception_of(exc_info) if exc_info else None
            if error is not None:
                self._scopes.scope(environ).remember(error, None)
        except FOREIGN_ERRORS:
            log_exception("An exception that could not be captured could not be marked")

    def refuse(self, reason: str) -> None:
        """Count an event that was not accepted, and log the reason at most once a minute."""
        try:
            self.outbox.refuse(reason)
        except FOREIGN_ERRORS:
            log_exception("An event that was not accepted could not be counted")

    def _capture_exception(self, occurrence: Occurrence, exc_info: Any, rate: float) -> str | None:
        error = occurrence.error = exception_of(exc_info)
        if error is None:
            logger.warning("captureException() was called without an exception; nothing is sent")
            return None
        known, event_id = occurrence.scope.recall(error)
        if known:
            return event_id
        if not self.should_capture((type(error), error, error.__traceback__)):
            logger.info("Not captured because of ignore_exceptions: %s", safe_repr(type(error)))
            return None
        event_id = self._send(occurrence, rate)
        occurrence.scope.remember(error, event_id)
        return event_id

    def _send(
        self,
        occurrence: Occurrence,
        rate: float,
        describe: Callable[[Occurrence], None] | None = None,
    ) -> str | None:
        """Build the event and pass it on for sending.

        :param rate: the share of events to send, from 0 to 1.
        :param describe: describes the subject of an event without an exception.
        :returns: the event's id, or None if it was not accepted.
        """
        if rate < 1 and diversion.current() is None and random.random() >= rate:
            return None
        options = self.event_options()
        try:
            if describe is not None:
                describe(occurrence)
            occurrence.transaction = self.transaction.peek()
            event = build_event(occurrence, options)
        except FOREIGN_ERRORS:
            log_exception("An event could not be built completely; a short version is sent")
            event = outline_event(occurrence, options)
        self._processors.process(event)
        if not send(self, event, Client):
            return None
        self._latest.note(event)
        event_id = occurrence.scope.last_event_id = str(event["event_id"])
        return event_id

    def _describe(self, event_type: str, kwargs: Mapping[str, Any], occurrence: Occurrence) -> None:
        if event_type == "raven.events.Message" and "message" in kwargs:
            occurrence.entry = kwargs
            return
        # raven.events.Query, or the path of an app's own class.
        path = event_type if "." in event_type else f"raven.events.{event_type}"
        handler = self.get_handler(path)
        occurrence.interfaces = result = dict(handler.capture(**kwargs))
        occurrence.message = kwargs.get("message") or handler.to_string(result)

    def facts(self, event_id: str | None) -> EventFacts:
        """See ``Reporter.facts``."""
        options = self.event_options()
        if event_id is None:
            return current_facts(self._scopes.scope(), options, self._processors.process)
        return self._latest.get(event_id) or configured_facts(
            options.release, options.environment, options.tags, self.scrubber
        )

    # sending

    def send(self, auth_header: str | None = None, **data: Any) -> None:
        """Pass an event on for sending. raven's method, which subclasses may override.

        :param auth_header: raven's parameter, unused. Our header is made with each request.
        """
        hand_over(self, data)

    def flush(self, timeout: float = 2.0) -> bool:
        """Wait until the queue has been sent.

        :param timeout: most seconds to wait.
        :returns: whether the queue is empty. A spool must also have no events of other processes.
        """
        if self._outbox is None and not self._has_spool():
            return True
        return self.outbox.flush(timeout)

    def _has_spool(self) -> bool:
        if not self.is_enabled():
            return False
        settings = self.settings
        return settings is not None and settings.spool is not None

    # raven's methods, corrected

    def get_ident(self, result: str | None) -> str | None:
        """The event's id. ``capture`` already returns it."""
        return result

    def captureException(self, exc_info: Any = None, **kwargs: Any) -> str | None:
        """Capture the given exception or the one being handled. See ``capture``.

        :param exc_info: a ``(type, value, traceback)`` triple, an exception, or None or True
            for the one being handled.
        """
        if exc_info is None or exc_info is True:
            exc_info = sys.exc_info()
        return self.capture("raven.events.Exception", exc_info=exc_info, **kwargs)

    def should_capture(self, exc_info: tuple[Any, Any, Any]) -> bool:
        """Whether ``ignore_exceptions`` lets this exception through.

        The setting lists classes (their subclasses match too), names (``ValueError``,
        ``module.Name``) and prefixes (``module.*``).
        """
        return not is_ignored(exc_info[0], self.ignore_exceptions)

    def recall(self, error: BaseException) -> tuple[bool, str | None]:
        """Whether this exception was handled in the current work, and the id of its event."""
        return self._scopes.recall(error)

    def skip_error_for_logging(self, exc_info: Any) -> bool:
        """Whether this exception was already handled."""
        error = exception_of(exc_info)
        return error is not None and self.recall(error)[0]

    def record_exception_seen(self, exc_info: Any) -> None:
        """Mark this exception as handled. A captured exception is already marked."""
        error = exception_of(exc_info)
        if error is not None and not self.skip_error_for_logging(exc_info):
            self._scopes.scope().remember(error, None)

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event of the current work."""
        scope = self._scopes.find()
        return scope.last_event_id if scope is not None else None

    @last_event_id.setter
    def last_event_id(self, value: str | None) -> None:
        self._scopes.scope().last_event_id = value

    def install_sys_hook(self) -> None:
        """Report an exception that ends the process. The hook does not keep this client alive."""
        excepthook.install(self)
