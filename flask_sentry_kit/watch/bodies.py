"""Which responses still run code after they are made: those that stream, and those with something
to call when they are closed. Most do neither, and are left alone."""

from __future__ import annotations

from typing import Any

from flask import Flask

from ..compat import runs_code_later
from ..event.scope import current_environ
from .notes import notes_key, notes_of


def note_bodies_that_run_code(app: Flask) -> None:
    """Note on a request that its response's body has code to run, so that it is watched."""
    process, key = app.process_response, notes_key(app)

    def process_response(*args: Any, **kwargs: Any) -> Any:
        response = process(*args, **kwargs)
        try:
            runs_code = runs_code_later(response)
        except AttributeError:
            runs_code = True
        if runs_code:
            environ = current_environ.get()
            if environ is not None:
                notes_of(environ, key).body_runs_code = True
        return response

    app.process_response = process_response  # type: ignore[method-assign]  # of this app alone
