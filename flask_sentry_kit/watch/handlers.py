"""What an app's error handlers answer. Flask sends no signal for a crash that a handler answers."""

from __future__ import annotations

from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException, InternalServerError

from .escapes import Capture


def capture_what_handlers_answer(app: Flask, capture: Capture) -> None:
    """Capture the crashes that an error handler of the app's answers.

    ``abort(500)`` is captured before its handler runs, so that the handler can show the id; any
    other exception once its handler has made a 500 of it, since only that tells it is a crash.
    """
    handle = app.handle_user_exception

    def handle_user_exception(*args: Any, **kwargs: Any) -> Any:
        # The exception is the last argument: Flask 3.2 puts its context before it.
        error = args[-1] if args else kwargs.get("e")
        if not isinstance(error, BaseException):
            return handle(*args, **kwargs)
        if isinstance(error, InternalServerError):
            capture(error)
            return handle(*args, **kwargs)
        answer = handle(*args, **kwargs)
        if is_crash(answer):
            capture(error, handled=True)
        return answer

    app.handle_user_exception = handle_user_exception  # type: ignore[method-assign]  # on errors only


def is_crash(answer: Any) -> bool:
    """Whether what a handler returned is a response with status 500.

    Only 500: 502, 503 and 504 are answers that a server gives on purpose.
    """
    if isinstance(answer, tuple):
        status = next((part for part in answer[1:] if isinstance(part, int | str)), 200)
        # An HTTPStatus is an int whose str() is its name up to Python 3.10.
        return (status if isinstance(status, int) else status.split(" ")[0]) in (500, "500")
    return getattr(answer, "status_code", getattr(answer, "code", 200)) == 500


def is_ordinary_answer(app: Flask, error: BaseException) -> bool:
    """Whether an exception is an answer below 500 that was raised: a 404, a redirect. Extensions
    such as Flask-RESTX signal each of them as if it were a crash.

    What ``TRAP_HTTP_EXCEPTIONS`` makes a crash of is none.
    """
    if not isinstance(error, HTTPException) or app.trap_http_exception(error):
        return False
    code = error.code if error.response is None else error.response.status_code
    return code is not None and code < 500
