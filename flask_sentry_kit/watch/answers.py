"""Decides whether the kit's page or one of the app's error handlers answers a crash.

The app's handler for 500 is kept. Its handlers for all exceptions or all HTTP errors
(``Exception``, ``HTTPException``) are called as before. If such a handler answers with a 500 that
is not HTML, a browser gets the kit's page instead. If a handler fails, the kit's page shows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from flask import Flask, Response, g, got_request_exception, request
from werkzeug.exceptions import HTTPException, InternalServerError

from ..containment import contained
from .handlers import is_crash
from .notes import RequestNotes, notes_key, notes_of
from .shown_id import add_header

logger = logging.getLogger("flask_sentry_kit")

_HTML: Final = ("text/html", "application/xhtml+xml")


class Handler(NamedTuple):
    """An error handler of an app."""

    call: Callable[[Any], Any]
    blueprint: str | None
    """None for a handler of the whole app."""
    takes: type[BaseException]
    exact: bool
    """It handles one status or error, not all of them."""

    def __str__(self) -> str:
        what = "500" if self.takes is InternalServerError else self.takes.__name__
        return f"{what} (blueprint {self.blueprint!r})" if self.blueprint else what


class Answers:
    """The answers to the crashes of one app.

    :param app: the app.
    :param respond: makes the kit's answer to an exception; never raises.
    :param report: reports a further exception, whose reference is not shown.
    :param capture: reports the exception whose reference is shown.
    :param own_route: returns the answer of the kit's route that the request is for, or None.
    :param wants_page: whether the current request names HTML in its Accept header.
    :param replace: the kit's page replaces the answers of the app's handlers.
    """

    def __init__(
        self,
        app: Flask,
        *,
        respond: Callable[[BaseException], Response],
        report: Callable[[BaseException], object],
        capture: Callable[[BaseException], object],
        own_route: Callable[[], Any],
        wants_page: Callable[[], bool],
        replace: bool,
    ) -> None:
        self._app = app
        self._respond = respond
        self._report = report
        self._capture = capture
        self._own_route = own_route
        self._wants_page = wants_page
        self._replace = replace
        self._notes_key = notes_key(app)
        self._logged: set[str] = set()

    def install(self) -> None:
        """Answer the crashes that no handler of the app answers, and those in its handlers."""
        app = self._app
        for name in (None, *app.blueprints):
            self._log_who_answers(() if name is None else (name,))
        if self._replace or InternalServerError not in app.error_handler_spec[None][500]:
            app.register_error_handler(500, self._answer_500)
        handle_user, handle = app.handle_user_exception, self._noting(app.handle_exception)

        def handle_user_exception(*args: Any, **kwargs: Any) -> Any:
            __traceback_hide__ = True
            error: Any = args[-1] if args else kwargs.get("e")
            found = self._handler_of_crash(error)
            if found is None:
                return handle_user(*args, **kwargs)
            self._log(found)
            if self._replace:
                if not _is_http(error):
                    raise  # as Flask does where there is no handler
                self._replace_handlers()
            try:
                answer = self._noting(handle_user)(*args, **kwargs)
            except Exception as second:
                if second is not error:
                    self._notes().later_errors.append(second)
                    self._report_first(error)
                raise
            if found.exact or _is_http(error):
                return answer
            return self._page_instead(answer, error)

        def handle_exception(*args: Any, **kwargs: Any) -> Any:
            __traceback_hide__ = True
            error: Any = args[-1] if args else kwargs.get("e")
            self._log_who_answers(request.blueprints)
            if self._replace:
                self._replace_handlers()
            finalize: Any = app.finalize_request  # Flask 3.2 takes its context first
            own = None if _propagates(app) else self._own_route()
            if own is not None:
                # The app's code failed on a request for one of the kit's routes. The route's
                # answer is sent, not that of the app's error handler.
                exc_info: Any = (type(error), error, error.__traceback__)
                got_request_exception.send(app, _async_wrapper=app.ensure_sync, exception=error)
                log: Any = app.log_exception
                log(*args[:-1], exc_info)
                return finalize(*args[:-1], own, from_error_handler=True)
            try:
                response = handle(*args, **kwargs)
            except Exception as second:
                if second is error and _propagates(app):
                    raise  # intended in tests and in debug mode
                page = self._page_after_failed_handler(error, second)
                response = finalize(*args[:-1], page, from_error_handler=True)
            # Needed if a hook failed before the hook that adds the header.
            event_id = g.get("sentry_event_id")
            if event_id:
                add_header(response, event_id)
            return response

        app.handle_user_exception = handle_user_exception  # type: ignore[method-assign]  # on errors only
        app.handle_exception = handle_exception  # type: ignore[method-assign]  # on errors only

    @property
    def answered_crash(self) -> BaseException | None:
        """The crash of the current request that a handler of the app's is answering now.

        None in a view, and in a handler for some other error: that may answer with a 400.
        """
        return self._notes().answering

    def handlers(self, blueprints: Sequence[str]) -> list[Handler]:
        """The app's handlers that answer a view's crashes: one for exceptions that it raises, and
        one for ``abort(500)`` and all other crashes.

        :param blueprints: the names of the view's blueprints, the innermost first.
        """
        first: tuple[type[Exception], tuple[int | None, ...]] = (Exception, (None,))
        return [
            handler
            for kind, codes in (first, (InternalServerError, (500, None)))
            for handler in islice(self._handlers(kind, blueprints, codes), 1)
        ]

    def _noting(self, handle: Callable[..., Any]) -> Callable[..., Any]:
        """A method of Flask's that calls handlers, with the crash noted that they answer."""

        def handle_noted(*args: Any, **kwargs: Any) -> Any:
            __traceback_hide__ = True
            notes = self._notes()
            before, notes.answering = notes.answering, args[-1] if args else kwargs.get("e")
            try:
                return handle(*args, **kwargs)
            finally:
                notes.answering = before

        return handle_noted

    def _answer_500(self, error: InternalServerError) -> Any:
        """The kit's handler for 500: returns the answer of the app's handler for all errors, if
        there is one, else the page."""
        __traceback_hide__ = True
        answer = self._own_route()
        if answer is not None:
            return answer
        first = self._notes().first_error
        if first is not None:
            # The app's handler has failed already, and Flask now calls this handler.
            return self._respond(first)
        found = None
        if not self._replace:
            found = next(self._handlers(InternalServerError, request.blueprints), None)
        if found is None:
            return self._respond(error)
        self._log(found)
        try:
            answer = self._app.ensure_sync(found.call)(error)
            return self._page_instead(answer, error)
        except Exception as second:
            if _propagates(self._app):
                raise
            self._report(second)
            self._log_broken(second)
            return self._respond(error)

    def _page_instead(self, answer: Any, error: BaseException) -> Any:
        """The answer of a handler for all errors, or the page for a browser that would get a 500
        that is not HTML."""
        response = self._app.make_response(answer)
        if not is_crash(response) or response.mimetype in _HTML or not self._wants_page():
            return response
        with contained("The answer of an error handler could not be closed"):
            response.close()
        return self._respond(error)

    def _page_after_failed_handler(self, error: BaseException, second: BaseException) -> Response:
        """The page after one of the app's handlers failed while it answered a crash."""
        first = self._notes().first_error
        if first is None:
            self._report(second)
        self._log_broken(second)
        return self._respond(error if first is None else first)

    def _report_first(self, error: BaseException) -> None:
        """Report a crash whose handler failed, and let the page show the crash's reference."""
        notes = self._notes()
        if notes.first_error is None:
            notes.first_error = error
            self._capture(error)

    def _replace_handlers(self) -> None:
        # Replaces handlers that were registered later, or on blueprints. Written into the table
        # directly, because Flask refuses registrations after the first request.
        for name in (*request.blueprints, None):
            self._app.error_handler_spec[name][500][InternalServerError] = self._answer_500

    def _handler_of_crash(self, error: Any) -> Handler | None:
        """The handler that Flask will call, if it is for 500 or for all errors; else None."""
        if not isinstance(error, Exception):
            return None
        if isinstance(error, InternalServerError):
            return next(self._handlers(type(error), request.blueprints, codes=(500, None)), None)
        if _is_http(error):
            return None
        found = next(self._handlers(type(error), request.blueprints), None)
        return None if found is None or found.exact else found

    def _handlers(
        self,
        kind: type[BaseException],
        blueprints: Any,
        codes: tuple[int | None, ...] = (None,),
    ) -> Iterator[Handler]:
        """The app's handlers that match an error, in Flask's order of lookup."""
        for code in codes:
            for name in (*blueprints, None):
                handlers = self._app.error_handler_spec[name][code]
                for takes in kind.__mro__:
                    call = handlers.get(takes)
                    if call is not None and call != self._answer_500:
                        exact = not issubclass(HTTPException, takes)
                        yield Handler(call, name, takes, exact)

    def _notes(self) -> RequestNotes:
        return notes_of(request.environ, self._notes_key)

    def _log_who_answers(self, blueprints: Sequence[str]) -> None:
        """Log the handlers that answer a view's crashes."""
        for handler in self.handlers(blueprints):
            self._log(handler)

    def _log(self, handler: Handler) -> None:
        """Log once which handler answers crashes, and how to change that."""
        name = str(handler)
        if name in self._logged:
            return
        self._logged.add(name)
        if self._replace:
            logger.info(
                "The kit's page answers the crashes of the app %r, and not its handler for %s:"
                " SENTRY_KIT_REPLACE_HANDLERS is on",
                self._app.name,
                name,
            )
        elif handler.exact:
            logger.warning(
                "The app %r has a handler for %s of its own, which stays. To show the kit's page"
                " from it, return crash_response(error); to show the kit's page instead of it, set"
                " SENTRY_KIT_REPLACE_HANDLERS = True",
                self._app.name,
                name,
            )
        else:
            logger.info(
                "The app %r has a handler for %s, which answers crashes as before. A browser that"
                " would get a 500 that is not HTML sees the kit's page. To show the kit's page or"
                " problem details at every crash, set SENTRY_KIT_REPLACE_HANDLERS = True",
                self._app.name,
                name,
            )

    def _log_broken(self, second: BaseException) -> None:
        with contained("The exception of an error handler could not be logged"):
            logger.error(
                "A handler of the app %r failed while it answered a crash. The kit's page shows"
                " instead of its answer, with the reference of the first error",
                self._app.name,
                exc_info=second,
            )


def _is_http(error: Any) -> bool:
    return isinstance(error, HTTPException)


def _propagates(app: Flask) -> bool:
    """Whether exceptions reach the caller of the app: in tests and in debug mode."""
    propagate = app.config["PROPAGATE_EXCEPTIONS"]
    return bool(app.testing or app.debug if propagate is None else propagate)
