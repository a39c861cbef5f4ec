"""Contains errors of code that is not ours: an error is logged once, and the work continues.

Values of a crashing program cannot be trusted: a ``repr`` may raise, recurse or exit, and so may
a hook, template or user object of the app. Their exceptions must not reach the visitor.
"""

from __future__ import annotations

import logging
from typing import Final

logger = logging.getLogger("flask_sentry_kit")

FOREIGN_ERRORS: Final = (Exception, SystemExit, KeyboardInterrupt, GeneratorExit)
"""The exceptions to catch from code that is not ours. Not all of BaseException: the exceptions
that kill a greenlet or signal a gevent timeout must pass."""


class contained:  # noqa: N801  # read as a verb: with contained("…")
    """Stop exceptions that the block raises.

    :param failure: the line to log, with the traceback; None to log nothing, where the missing
        value is evidence enough.
    """

    __slots__ = ("_failure",)

    def __init__(self, failure: str | None) -> None:
        self._failure = failure

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, traceback: object) -> bool:
        if not isinstance(error, FOREIGN_ERRORS):
            return False
        if self._failure is not None:
            log_exception(self._failure)
        return True


def log_exception(message: str) -> None:
    """Log the exception being handled, with its traceback where Python can format it.

    logging itself raises if the exception's attributes raise.
    """
    try:
        logger.exception(message)
    except FOREIGN_ERRORS:
        logger.error("%s (its traceback cannot be shown)", message)
