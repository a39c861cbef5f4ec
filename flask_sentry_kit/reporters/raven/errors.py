"""Which exception an event is about."""

from __future__ import annotations

from werkzeug.exceptions import InternalServerError


def original_error(error: BaseException) -> BaseException:
    """The exception behind the InternalServerError that Flask wraps it in."""
    if not isinstance(error, InternalServerError):
        return error
    inner = error.original_exception
    return inner if isinstance(inner, BaseException) else error
