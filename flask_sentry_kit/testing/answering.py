"""Has apps answer their crashes in a test, with the page, as they do in production."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from flask import Flask, got_request_exception

from ..kit import kit_of

_PROPAGATE: Final = "PROPAGATE_EXCEPTIONS"


@contextmanager
def crashes_answered() -> Iterator[None]:
    """Within the block an app with the kit answers a crash where ``TESTING`` or ``DEBUG`` would
    raise it on to the test. One that has set ``PROPAGATE_EXCEPTIONS`` itself does what that says.
    """
    changed: list[Flask] = []

    def answer(app: Flask, **extra: Any) -> None:
        # Flask sends this signal before it looks whether to raise.
        if kit_of(app) is None or app.config[_PROPAGATE] is not None:
            return
        if app.testing or app.debug:
            app.config[_PROPAGATE] = False
            changed.append(app)

    with got_request_exception.connected_to(answer):
        try:
            yield
        finally:
            for app in changed:
                app.config[_PROPAGATE] = None
