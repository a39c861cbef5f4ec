"""How errors of code that is not ours are contained: logged once, and the work goes on.

Values of a crashing program cannot be trusted: a ``repr`` may raise, recurse or exit; so may a
hook, template or user object of the app. What they raise must not reach the visitor.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

logger = logging.getLogger("flask_sentry_kit")

FOREIGN_ERRORS: Final = (Exception, SystemExit, KeyboardInterrupt, GeneratorExit)
"""What code that is not ours may raise at us. Not all of BaseException: a greenlet that is being
killed or a gevent timeout must get through."""


@contextmanager
def contained(failure: str | None) -> Iterator[None]:
    """Keep what the block raises from going further.

    :param failure: the line to log, with the traceback; None where the value that is missing
        says enough.
    """
    try:
        yield
    except FOREIGN_ERRORS:
        if failure is not None:
            log_exception(failure)


def log_exception(message: str) -> None:
    """Log the exception being handled, with its traceback where Python can format it.

    logging itself raises at an exception whose attributes raise.
    """
    try:
        logger.exception(message)
    except FOREIGN_ERRORS:
        logger.error("%s (its traceback cannot be shown)", message)
