"""Collects the values of sensitive names from an event of sentry-sdk, before the SDK's own scrubber
replaces some of them: an error's text may repeat one, and only the name tells that it is a secret.
"""

from __future__ import annotations

from typing import Any, Final

from ..containment import FOREIGN_ERRORS
from .masked_values import MaskedValues
from .masked_walk import frames_of, stacktraces_of
from .scrub import Scrubber
from .shown_values import literal

_PARTS: Final = ("request", "extra", "user", "contexts", "tags", "breadcrumbs", "spans")
_DEPTH_MAX: Final = 6
_VALUES_MAX: Final = 10_000
"""Most values of one event that are looked at."""


def noted_secrets(event: dict[str, Any], scrubber: Scrubber) -> MaskedValues:
    """The values of sensitive names in an event that is not serialised yet, except its frames.

    It changes nothing and never raises.
    """
    noter = _Noter(scrubber)
    try:
        for trace in stacktraces_of(event):
            for frame in reversed(frames_of(trace)):
                noter.note(frame.get("vars"), described=True)
        for name in _PARTS:
            noter.note(event.get(name))
    except FOREIGN_ERRORS:
        pass  # a mapping of the app's own; what was found before it is kept
    return noter.noted


class _Noter:
    def __init__(self, scrubber: Scrubber) -> None:
        self.noted = MaskedValues()
        self._scrubber = scrubber
        self._left = _VALUES_MAX

    def note(self, value: Any, described: bool = False, depth: int = 0) -> None:
        """Look through a value.

        :param described: texts are the ``repr`` of what they stand for, as in a frame's variables.
        """
        if depth > _DEPTH_MAX:
            return
        if isinstance(value, list):
            for one in value:
                if self._left <= 0:
                    break
                self._left -= 1
                self.note(one, described, depth + 1)
        elif isinstance(value, dict):
            for name, one in value.items():
                if self._left <= 0:
                    break
                self._left -= 1
                if type(name) is str and self._scrubber.hides(name):
                    self._note_secret(one, described)
                self.note(one, described, depth + 1)

    def _note_secret(self, value: Any, described: bool) -> None:
        if type(value) is str:
            # "Bearer …", as in a header
            self.noted.note_header(literal_text(value) if described else value)
        self.noted.note(literal(value) if described and type(value) is str else value)


def literal_text(text: str) -> str:
    """The text behind its ``repr``, or nothing if it is the ``repr`` of something else."""
    plain = literal(text)
    return plain if type(plain) is str else ""
