"""raven's ``Client``, with the insides of this room: the same calls, none of the side effects.

Captures, decides, builds and hands over; never raises into the app for what is our own fault.
Hooks nothing globally unless an option asks for it.
"""

from __future__ import annotations

import logging as stdlib_logging
import os
import random
import sys
import weakref
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import raven
import raven.base
from flask import Flask
from raven.conf import defaults
from raven.conf.remote import RemoteConfig
from raven.utils import get_auth_header
from raven.utils.conf import convert_options

from ...containment import log_exception
from ...dsn import Dsn, find_dsn
from ...event import interfaces as events
from ...event.build import EventBuilder
from ...event.frames import Stacks, warm_sources
from ...event.scope import Environ, Scope
from ...event.scrub import Scrubber
from ...event.serialize import HOSTILE, safe_repr
from ...outbox import Item, Outbox
from ...outbox import Request as Post
from ...settings import Settings
from ...threads import lock_at_use
from . import breadcrumbs, logs
from .context import Context
from .errors import exception_of
from .options import check_dsn, check_options, transport_options
from .transport import OutboxTransport, make_outbox

logger = stdlib_logging.getLogger("flask_sentry_kit")

AGENT: Final = f"raven-python/{raven.VERSION}"


def make_client(client_cls: type[raven.base.Client], app: Flask, dsn: str | None) -> Any:
    """A client for an app, from ``app.config`` with raven's precedence.

    ``SENTRY_CONFIG``'s keys win over ``SENTRY_<NAME>``; :func:`~flask_sentry_kit.dsn.find_dsn`
    says where the DSN is looked for.

    :raises SettingError, DsnError: names the setting; shows no secret.
    """
    config = app.config
    own = config.get("SENTRY_CONFIG") or config.get("RAVEN_CONFIG") or {}
    check_options(config, own)
    found = find_dsn(config, dsn)
    if found.text:
        check_dsn(found.text, found.setting)
    elif found.text == "":
        logger.info(
            "%s is empty: reporting is switched off for the app %r", found.setting, app.name
        )
    includes = set(config.get("SENTRY_INCLUDE_PATHS") or ())
    options = convert_options(
        config,
        defaults={
            "include_paths": includes | {app.import_name},
            "ignore_exceptions": config.get("RAVEN_IGNORE_EXCEPTIONS", []),
        },
    )
    options["dsn"] = found.text
    if issubclass(client_cls, Client):
        options["strict_paths"] = bool(includes or own.get("include_paths"))
        options["app"] = app
    return client_cls(**options)


class Client(raven.base.Client):  # type: ignore[misc]  # raven carries no types
    """raven's client, safe: every documented method and option, within bounds.

    :param app: whose user, address and settings it reports; None outside Flask.
    :param strict_paths: only ``include_paths`` are the app's own code.

    raven's options keep their meaning, with other defaults where theirs cost a healthy
    request or reach into the whole process: ``install_sys_hook``, ``install_logging_hook``,
    ``hook_libraries``, ``enable_breadcrumbs`` and ``include_versions`` are off.
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
        self.dsn: Dsn | None = None
        self._made = False
        self._app = None if app is None else weakref.ref(app)
        self.settings: Settings | None = None
        """The kit's settings, handed in when an app is set up."""
        self._outbox: Outbox | None = None
        self._outbox_lock = lock_at_use()
        self.timeout = options.get("timeout")
        # sys.argv may hold a password; raven sends it with every event unless told otherwise.
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
            # raven keeps the first client of a process for ever.
            raven.base.Raven = singleton
        self._made = True
        # raven activates one in the thread that makes the client, and keeps it there for ever.
        self._context.deactivate()
        self._context: Context = Context(enable_breadcrumbs)
        self.scrubber = Scrubber(self.sanitize_keys or ())
        self.stacks = Stacks(
            self.include_paths,
            self.exclude_paths,
            strict=strict_paths,
            capture_locals=self.capture_locals,
            scrubber=self.scrubber,
        )
        self._builder = EventBuilder(self, options.get("processors") or ())
        if install_sys_hook:
            self.install_sys_hook()
        if enable_breadcrumbs:
            breadcrumbs.follow(self, raven_logging=install_logging_hook, libraries=hook_libraries)

    def is_enabled(self) -> bool:
        """Whether there is a DSN to report to."""
        # raven's constructor asks, to log that it is not configured; the front door says it better.
        return not self._made or self.dsn is not None

    # where it goes

    def set_dsn(self, dsn: str | None = None, transport: Any = None) -> None:
        """Point the client at another DSN.

        :raises DsnError: shows no secret.
        """
        text = os.environ.get("SENTRY_DSN") if dsn is None else dsn
        self.switched_off = text == ""
        self.dsn = Dsn.parse(text) if text else None
        # Looked up by name: the registry has raven's own transports, which are not ours to use.
        self._transport_class = transport or OutboxTransport
        if self.dsn is None:
            self.remote = RemoteConfig(transport=self._transport_class)
        else:
            self.remote = RemoteConfig(
                base_url=f"{self.dsn.origin}{self.dsn.path}",
                project=self.dsn.project,
                public_key=self.dsn.public_key,
                secret_key=self.dsn.secret_key,
                options=dict(self.dsn.options),
                transport=self._transport_class,
            )

    def get_public_dsn(self, scheme: str | None = None) -> str | None:
        """The DSN a browser may see: without its scheme as raven has it, or with the given one."""
        if self.dsn is None:
            return None
        rest = self.dsn.public.partition(":")[2]
        return f"{scheme}:{rest}" if scheme else rest

    @property
    def outbox(self) -> Outbox:
        """The queue that this client's events, and the feedback on them, wait in."""
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
            destination=self.dsn.origin if self.dsn else None,
        )

    @property
    def app(self) -> Flask | None:
        """The app it reports for."""
        return None if self._app is None else self._app()

    def rehearse(self) -> None:
        """Build an event and forget it, so that the first crash does not pay for first times."""
        try:
            raise LookupError("rehearsal")
        except LookupError as error:
            facts: dict[str, Any] = dict.fromkeys(("date", "time_spent", "extra", "stack", "tags"))
            try:
                event = self._builder.build(
                    "raven.events.Exception",
                    {},
                    error,
                    Scope(False),
                    None,
                    {},
                    handled=True,
                    **facts,
                )
                events.encode(event)
            except HOSTILE:
                # It would be told at the crash, with the event it cost.
                pass
        warm_sources()

    # one event

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
        """Capture an event and hand it over for sending.

        raven's signature and meaning, and more:

        :param handled: the app goes on after this; False for what escaped from it.
        :param environ: the request's WSGI environ where Flask's context is gone already.
        :returns: the id of the one event for this exception or message, also when it was
            captured before; None where there is none: disabled, ignored, sampled out, or not
            accepted for sending.
        """
        if not self.is_enabled():
            return None
        try:
            with logs.busy():
                return self._capture(
                    event_type,
                    dict(data or {}),
                    date=date,
                    time_spent=time_spent,
                    extra=extra,
                    stack=stack,
                    tags=tags,
                    sample_rate=sample_rate,
                    handled=handled,
                    environ=environ,
                    kwargs=kwargs,
                )
        except HOSTILE:
            log_exception("An event could not be captured; the app goes on")
            self.refuse("an event could not be captured")
            self._give_up(kwargs.get("exc_info"), environ)
            return None

    def _give_up(self, exc_info: Any, environ: Environ | None) -> None:
        """Deal with this exception no more: the page asks again for what a signal reported."""
        try:
            error = exception_of(exc_info) if exc_info else None
            if error is not None:
                self._context.scope(environ).remember(error, None)
        except HOSTILE:
            log_exception("An exception that could not be captured could not be marked")

    def refuse(self, reason: str) -> None:
        """Count an event that is not accepted, and have it said in the log once a minute."""
        try:
            self.outbox.refuse(reason)
        except HOSTILE:
            log_exception("An event that was not accepted could not be counted")

    def _capture(
        self,
        event_type: str,
        data: dict[str, Any],
        *,
        sample_rate: float | None,
        environ: Environ | None,
        kwargs: dict[str, Any],
        **facts: Any,
    ) -> str | None:
        error: BaseException | None = None
        if "exc_info" in kwargs:
            error = exception_of(kwargs["exc_info"])
            if error is None:
                logger.warning("captureException() was called with no exception to capture")
                return None
            known, event_id = self._context.scope(environ).recall(error)
            if known:
                return event_id
            if not self.should_capture((type(error), error, error.__traceback__)):
                logger.info("Not captured, since ignored: %s", safe_repr(type(error)))
                return None
        scope = self._context.scope(environ)
        rate = self.sample_rate if sample_rate is None else sample_rate
        event_id = None
        if rate >= 1 or random.random() < rate:
            try:
                event = self._builder.build(
                    event_type, data, error, scope, environ, kwargs, **facts
                )
            except HOSTILE:
                log_exception("An event could not be built whole; its outline is sent")
                event = self._builder.outline(error, kwargs)
            self._builder.process(event)
            if self._hand_over(event):
                event_id = str(event["event_id"])
        if error is not None:
            scope.remember(error, event_id)
        if event_id is not None:
            scope.last_event_id = event_id
        return event_id

    # handing over

    def _hand_over(self, event: dict[str, Any]) -> bool:
        body = events.encode(event)
        if self.dsn is not None and self._transport_class is OutboxTransport:
            item = Item("event", event["event_id"], Post(self.dsn.store_url, self._headers(), body))
            return self.outbox.put(item) is not None
        # A transport of the app's own: raven's way, which backs off after a failure.
        if not self.raise_send_errors and not self.state.should_try():
            self.refuse("the app's transport failed, and is left alone for a while")
            return False
        logs.hush(self.remote.get_transport())
        self.send(**event)
        if self.state.did_fail():
            self.refuse("the app's transport failed")
            return False
        return True

    def _headers(self) -> dict[str, str]:
        assert self.dsn is not None
        return {
            "User-Agent": AGENT,
            "Content-Type": "application/json",
            "X-Sentry-Auth": get_auth_header(
                protocol=self.protocol_version,
                timestamp=int(datetime.now().timestamp()),
                client=AGENT,
                api_key=self.dsn.public_key,
                api_secret=self.dsn.secret_key,
            ),
        }

    def flush(self, timeout: float = 2.0) -> bool:
        """Wait until all that is queued was sent.

        :param timeout: seconds at most.
        :returns: whether the queue is empty, with a spool also of what other processes put there.
        """
        if self._outbox is None and not self._has_spool():
            return True
        return self.outbox.flush(timeout)

    def _has_spool(self) -> bool:
        if not self.is_enabled():
            return False
        settings = self.settings
        return settings is not None and settings.spool is not None

    # raven's methods, mended

    def get_ident(self, result: str | None) -> str | None:
        """The event's id, which ``capture`` returns already."""
        return result

    def captureException(self, exc_info: Any = None, **kwargs: Any) -> str | None:
        """Capture the exception given or the one being handled; see ``capture``.

        :param exc_info: a ``(type, value, traceback)`` triple, an exception, or None or True
            for the one being handled.
        """
        if exc_info is None or exc_info is True:
            exc_info = sys.exc_info()
        return self.capture("raven.events.Exception", exc_info=exc_info, **kwargs)

    def should_capture(self, exc_info: tuple[Any, Any, Any]) -> bool:
        """Whether ``ignore_exceptions`` lets this exception through.

        It lists classes (their subclasses too), names (``ValueError``, ``module.Name``) and
        prefixes (``module.*``).
        """
        kind = exc_info[0]
        name = type.__dict__["__name__"].__get__(kind)
        module = type.__dict__["__module__"].__get__(kind)
        full = f"{module}.{name}"
        for ignored in self.ignore_exceptions:
            if isinstance(ignored, str):
                if ignored in (name, full):
                    return False
                if ignored.endswith("*") and full.startswith(ignored[:-1]):
                    return False
            elif isinstance(ignored, type) and ignored in type.mro(kind):
                return False
        return True

    def skip_error_for_logging(self, exc_info: Any) -> bool:
        """Whether this exception was dealt with already."""
        error = exception_of(exc_info)
        scope = self._context.find()
        return error is not None and scope is not None and scope.recall(error)[0]

    def record_exception_seen(self, exc_info: Any) -> None:
        """Deal with this exception no more; where it was captured that is noted already."""
        error = exception_of(exc_info)
        if error is not None and not self.skip_error_for_logging(exc_info):
            self._context.scope().remember(error, None)

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event of the work at hand."""
        scope = self._context.find()
        return scope.last_event_id if scope is not None else None

    @last_event_id.setter
    def last_event_id(self, value: str | None) -> None:
        self._context.scope().last_event_id = value

    def install_sys_hook(self) -> None:
        """Report what ends the process, through a hook that does not keep this client alive."""
        previous: Callable[..., Any] = sys.excepthook
        client = weakref.ref(self)

        def report(*exc_info: Any) -> None:
            alive = client()
            if alive is not None:
                alive.captureException(exc_info=exc_info, level="fatal", handled=False)
            previous(*exc_info)

        sys.excepthook = report
