"""Captures crashes that the app's error handlers answer: Flask sends no signal for them."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response
from werkzeug.exceptions import HTTPException, InternalServerError

from .escapes import Capture


def capture_what_handlers_answer(app: Flask, capture: Capture) -> None:
    """Capture the crashes that an error handler of the app answers.

    ``abort(500)`` is captured before its handler runs, so that the handler can show the id. Any
    other exception is captured after its handler has answered with status 500, because only the
    status shows that it is a crash.
    """
    handle = app.handle_user_exception

    def handle_user_exception(*args: Any, **kwargs: Any) -> Any:
        __traceback_hide__ = True
        # The exception is the last argument: Flask 3.2 puts its context before it.
        error = args[-1] if args else kwargs.get("e")
        if not isinstance(error, BaseException):
            return handle(*args, **kwargs)
        is_aborted = isinstance(error, InternalServerError)
        if is_aborted:
            capture(error)
        # Converted to a response here, as Flask does next. Then its status is known, and an invalid
        # return value fails while the exception is still available.
        response = app.make_response(handle(*args, **kwargs))
        if is_crash(response) and not is_aborted:
            capture(error, handled=True)
        return response

    app.handle_user_exception = handle_user_exception  # type: ignore[method-assign]  # on errors only


def is_crash(response: Response) -> bool:
    """Whether a handler's response has status 500.

    Only 500: a server sends 502, 503 and 504 on purpose.
    """
    return response.status_code == 500


def is_ordinary_answer(app: Flask, error: BaseException) -> bool:
    """Whether an exception stands for a response below 500, such as a 404 or a redirect.
    Extensions such as Flask-RESTX signal each of them as if it were a crash.

    False for an exception that ``TRAP_HTTP_EXCEPTIONS`` turns into a crash.
    """
    if not isinstance(error, HTTPException) or app.trap_http_exception(error):
        return False
    code = error.code if error.response is None else error.response.status_code
    return code is not None and code < 500
