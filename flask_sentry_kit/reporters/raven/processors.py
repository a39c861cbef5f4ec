"""raven's ``processors``: an app's own classes that change an event before it is sent."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final

from ...containment import FOREIGN_ERRORS

logger = logging.getLogger("flask_sentry_kit")

_REPLACED: Final = (
    # The scrubber does what these two do, with a longer list.
    "raven.processors.SanitizePasswordsProcessor",
    "raven.processors.SanitizeKeysProcessor",
)


class Processors:
    """The processors of one client.

    :param client: passed to each processor. Its module cache holds the processors' classes.
    :param given: import paths or classes.
    """

    def __init__(self, client: Any, given: Iterable[Any]) -> None:
        self._processors = tuple(
            (client.module_cache[one] if isinstance(one, str) else one)(client)
            for one in given
            if one not in _REPLACED
        )

    def process(self, event: dict[str, Any]) -> None:
        """Run each processor on an event."""
        for processor in self._processors:
            try:
                event.update(processor.process(event) or {})
            except FOREIGN_ERRORS:
                # It may have failed to remove something, so everything it could mean is left out.
                logger.exception("A processor failed; the event is sent without request and locals")
                for name in ("request", "extra", "breadcrumbs"):
                    event.pop(name, None)
                for value in event.get("exception", {}).get("values", ()):
                    for frame in value.get("stacktrace", {}).get("frames", ()):
                        frame.pop("vars", None)
