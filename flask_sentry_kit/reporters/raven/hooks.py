"""raven's hooks: methods of ``Sentry`` that raven's users override. They are called at the same
points and with the same arguments as by raven.

``get_user_info``, ``get_http_info`` and the four methods that it calls provide data for an event.
``handle_exception`` and ``captureException`` receive a crash. ``before_request`` and
``after_request`` run with every request. A hook is called only if it is overridden, so that other
apps do not pay for it. An exception in a hook is contained, and logged the first time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from flask import Flask, g, has_app_context, request_finished
from flask.wrappers import Response
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request

from ...compat import read_so_far
from ...containment import FOREIGN_ERRORS, log_exception

_OF_THE_REQUEST: Final = (
    "get_http_info",
    "get_http_info_with_retriever",
    "get_form_data",
    "get_json_data",
    "is_json_type",
)

_failed: ContextVar[bool] = ContextVar("sentry_kit_request_failed", default=False)


@dataclass(frozen=True, slots=True)
class Hooks:
    """The methods of ``Sentry`` that an app overrides, with None for the others."""

    capture: Callable[[BaseException], Taken] | None = None
    """The app's ``captureException``, called for a crash."""
    user: Callable[[Request], Mapping[str, Any]] | None = None
    """The app's ``get_user_info``."""
    request: Callable[[Request, bool], Mapping[str, Any]] | None = None
    """The app's ``get_http_info``, or raven's with the app's parts. The second argument says
    whether the request has failed."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The result of passing a crash to a hook."""

    done: bool
    """False if the hook raised, so that the crash must still be reported."""
    event_id: str | None = None
    """The id that the hook returned, or that it set as this request's event."""


def hooks_of(sentry: Any, base: type) -> Hooks:
    """The methods that a ``Sentry`` overrides.

    :param base: the class whose own methods do not count as hooks.
    """

    def capture(error: BaseException) -> Taken:
        return take(
            sentry,
            "captureException",
            lambda: sentry.captureException(exc_info=(type(error), error, error.__traceback__)),
        )

    def user(request: Request) -> Mapping[str, Any]:
        return described(sentry, "get_user_info", request)

    def http(request: Request, failed: bool) -> Mapping[str, Any]:
        with crash_at_hand(failed):
            return described(sentry, "get_http_info", request)

    return Hooks(
        capture=capture if overrides(sentry, base, "captureException") else None,
        user=user if overrides(sentry, base, "get_user_info") else None,
        request=http if overrides(sentry, base, *_OF_THE_REQUEST) else None,
    )


def overrides(sentry: Any, base: type, *names: str) -> bool:
    """Whether one of these methods differs from the base class's, either in a subclass or on
    the object itself."""
    return any(
        getattr(found := getattr(sentry, name), "__func__", found) is not getattr(base, name)
        for name in names
    )


@contextmanager
def crash_at_hand(failed: bool) -> Iterator[None]:
    """Record for nested hooks whether the request has failed for good."""
    token = _failed.set(failed)
    try:
        yield
    finally:
        _failed.reset(token)


def request_has_failed() -> bool:
    """Whether a crash is being captured, so that nobody reads from the request any more."""
    return _failed.get()


def body_may_be_read(request: Request) -> bool:
    """Whether a request's body may be read. If the view continues, it may not, because the view
    would find the body empty."""
    read = read_so_far(request)
    return request_has_failed() or read.form is not None or read.data is not None


def take(sentry: Any, name: str, call: Callable[[], Any]) -> Taken:
    """Pass a crash to a hook."""
    before = _shown_event_id()
    try:
        returned = call()
    except FOREIGN_ERRORS:
        _log(sentry, name, "the crash is reported without it")
        return Taken(False)
    if isinstance(returned, str):
        return Taken(True, returned)
    # A hook may capture and return nothing, because raven reads ``last_event_id``.
    after = _shown_event_id()
    return Taken(True, after if after != before else None)


def _shown_event_id() -> str | None:
    return g.get("sentry_event_id") if has_app_context() else None


def described(sentry: Any, name: str, request: Request) -> Mapping[str, Any]:
    """The data that a hook returns for a request. Empty if it raises, because the hook may exist
    to leave something out."""
    try:
        found = getattr(sentry, name)(request)
        return dict(found or {})
    except FOREIGN_ERRORS:
        _log(sentry, name, "the event is sent without the data of this method")
        return {}


def go_along(sentry: Any, base: type, app: Flask) -> None:
    """Call an overridden ``before_request`` and ``after_request`` with every request, as long as
    the app uses this ``Sentry``."""

    def is_current() -> bool:
        return bool(app.extensions.get("sentry") is sentry)

    def before_request() -> Any:
        if not is_current():
            return None
        try:
            return sentry.before_request()
        except HTTPException:
            raise  # from abort(), on purpose
        except FOREIGN_ERRORS:
            _log(sentry, "before_request", "the request continues")
            return None

    def after_request(sender: Any, response: Response, **extra: Any) -> None:
        if not is_current():
            return
        try:
            sentry.after_request(sender, response, **extra)
        except FOREIGN_ERRORS:
            _log(sentry, "after_request", "the response is sent unchanged")

    if overrides(sentry, base, "before_request"):
        app.before_request_funcs.setdefault(None, []).append(before_request)
    if overrides(sentry, base, "after_request"):
        # The signal holds it weakly, so the app keeps it alive.
        app.extensions.setdefault("sentry_kit_hooks", []).append(after_request)
        request_finished.connect(after_request, sender=app)


def _log(sentry: Any, name: str, outcome: str) -> None:
    if name not in sentry.failed_hooks:
        sentry.failed_hooks.add(name)
        log_exception(
            f"{type(sentry).__name__}.{name}() failed: {outcome}. Later failures of this"
            " method are not logged"
        )
