"""``install_sys_hook``: reports an exception that ends the process."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any


def install(client: Any) -> None:
    """Report uncaught exceptions through a weakly held client, then call the previous hook."""
    previous: Callable[..., Any] = sys.excepthook
    held = weakref.ref(client)

    def report(*exc_info: Any) -> None:
        alive = held()
        if alive is not None:
            alive.captureException(exc_info=exc_info, level="fatal", handled=False)
        previous(*exc_info)

    sys.excepthook = report
