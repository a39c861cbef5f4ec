"""How errors of code that is not ours are contained: logged once, and the work goes on.

Values of a crashing program cannot be trusted: a ``repr`` may raise, recurse or exit; so may a
hook, template or user object of the app. What they raise must not reach the visitor.
"""

from __future__ import annotations

import logging
from typing import Final

logger = logging.getLogger("flask_sentry_kit")

FOREIGN_ERRORS: Final = (Exception, SystemExit, KeyboardInterrupt, GeneratorExit)
"""What code that is not ours may raise at us. Not all of BaseException: a greenlet that is being
killed or a gevent timeout must get through."""


class contained:  # noqa: N801  # read as a verb: with contained("…")
    """Keep what the block raises from going further.

    :param failure: the line to log, with the traceback; None where the value that is missing
        says enough.
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

    logging itself raises at an exception whose attributes raise.
    """
    try:
        logger.exception(message)
    except FOREIGN_ERRORS:
        logger.error("%s (its traceback cannot be shown)", message)
