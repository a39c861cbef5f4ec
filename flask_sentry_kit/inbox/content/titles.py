"""What a crash is called where type and value of its exception say less than its place does."""

from __future__ import annotations

import re
from typing import Final

from werkzeug.exceptions import HTTPException, default_exceptions

# HTTPException.__str__ in Werkzeug: "500 Internal Server Error: The server encountered …". Before
# 0.14 it had no name: "500: Internal Server Error".
_TEXT = re.compile(r"(\d{3})(?: ([^:\n]{1,60}))?: (.*)", re.DOTALL)

_CLASSES: Final[dict[str, type[HTTPException]]] = {
    kind.__name__: kind for kind in default_exceptions.values()
}


def title_of(kind: str, value: str, place: str) -> tuple[str, str]:
    """The type and the value under which list and page show a crash.

    ``InternalServerError`` with Werkzeug's own description says only that a view called
    ``abort(500)``: it becomes ``abort(500)`` and ``in gift_cards``. With a description of the app's
    own, ``abort(500, "No card service")``, that one is the value. All others stay as they are.

    :param kind: the exception's type, as the event has it.
    :param value: its text.
    :param place: module and function of the app's own code, such as ``shop.views.gift_cards``;
        empty if the event names none.
    """
    said = _TEXT.fullmatch(value) if value[:3].isdigit() else None
    if said is None:
        return kind, value
    code, name, description = int(said[1]), said[2], said[3]
    known = default_exceptions.get(code)
    if known is None or not (name is None or name.title() == known().name.title()):
        return kind, value
    aborted = _CLASSES.get(kind) is known
    shown = f"abort({code})" if aborted else kind
    if description in (known.description, known().name, "None", ""):
        function = place.rpartition(".")[2]
        return shown, f"in {function}" if function else known().name
    return (shown, description) if aborted else (kind, value)
