"""Finds the exception to report."""

from __future__ import annotations

import sys
from typing import Any

from werkzeug.exceptions import InternalServerError

from ..compat import teardown_error


def original_error(error: BaseException) -> BaseException:
    """The original exception, if Flask wrapped it in an InternalServerError or a group of one."""
    if not isinstance(error, InternalServerError):
        return teardown_error(error)
    inner = error.original_exception
    return inner if isinstance(inner, BaseException) else error


def exception_of(exc_info: Any) -> BaseException | None:
    """The exception from an ``exc_info`` as raven accepts it, or None if there is no exception.

    :param exc_info: a ``(type, value, traceback)`` triple, an exception, or None or True for the
        one being handled.
    """
    if isinstance(exc_info, BaseException):
        return exc_info
    if exc_info is True or exc_info is None:
        return sys.exc_info()[1]
    try:
        error = exc_info[1]
    except (TypeError, IndexError, KeyError):
        return None
    return error if isinstance(error, BaseException) else None
