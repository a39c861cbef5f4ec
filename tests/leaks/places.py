"""The places of an event: each is a request to a crashing app that holds one value there.

Nothing else in the app holds the value: no local of ours, no argument of a view.
"""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Callable
from dataclasses import make_dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import pydantic
import sqlalchemy
from flask import Flask, request

Request = dict[str, Any]
"""Keywords of the test client's ``open``."""
Reporter = Any
"""``extra(dict)``, ``tags(dict)``, ``user(dict)`` and ``breadcrumb(str)`` of one reporter."""

_log: Final = logging.getLogger("leaks")
_boxes: dict[str, str] = {}


def _it() -> str:
    """The value of this request's case, fetched without a name."""
    return _boxes["value"]


def _name() -> str:
    return _boxes["name"]


def identifier(name: str) -> str:
    """A name as Python can have it."""
    return re.sub(r"\W", "_", name)


class Crash(Exception):
    """What every place ends in."""


def _compiled(source: str, folder: Path) -> None:
    number = len(list(folder.iterdir()))
    path = folder / f"generated_{number}.py"
    path.write_text(source, "utf-8")
    space = {"__name__": "leaks_generated", "it": _it, "Crash": Crash}
    exec(compile(source, str(path), "exec"), space)
    del source  # it holds the value under a name of ours
    space["crash"]()  # type: ignore[operator]  # a function of the source


_SOURCES: Final = {
    "source assigned": "def crash():\n    {name} = {value!r}\n    del {name}\n    1 / 0\n",
    "source annotated": "def crash():\n    {name}: str = {value!r}\n    del {name}\n    1 / 0\n",
    "source keyword": "def f(**k): pass\ndef crash():\n    f({name}={value!r})\n    1 / 0\n",
    "source dict": "def crash():\n    {{{raw!r}: {value!r}}}\n    1 / 0\n",
    "source subscript": "def crash():\n    d = {{}}; d[{raw!r}] = {value!r}; d = 0\n    1 / 0\n",
    "source pair": "def f(*a): pass\ndef crash():\n    f(({raw!r}, {value!r}))\n    1 / 0\n",
    "source default": "def f({name}={value!r}): pass\ndef crash():\n    1 / 0\n",
    "source getenv": "import os\ndef crash():\n    os.getenv({raw!r}, {value!r})\n    1 / 0\n",
    "source comment": "def crash():\n    # {name}: {value}\n    1 / 0\n",
    "source compared": "def crash({name}=''):\n    if {name} == {value!r}: pass\n    1 / 0\n",
    "source or": "def crash():\n    {name} = None or {value!r}\n    del {name}\n    1 / 0\n",
    "source triple": 'def crash():\n    {name} = """\n{value}\n"""\n    del {name}\n    1 / 0\n',
    "local": "def crash():\n    {name} = it()\n    1 / 0\n",
}
"""Code that is written to a file and run: the file's lines and the frame's locals are sent."""


def _source(place: str, folder: Path) -> None:
    _compiled(_SOURCES[place].format(name=identifier(_name()), raw=_name(), value=_it()), folder)


def _local_dict() -> None:
    held = {_name(): _it(), "page": 2}
    raise Crash(len(held))


def _nested() -> None:
    held = {"config": [{"deep": {_name(): _it()}}]}
    raise Crash(len(held))


def _object() -> None:
    held = make_dataclass("Login", ["user", identifier(_name())])("bob", _it())
    raise Crash(type(held).__name__)


def _pair() -> None:
    held = [("user", "bob"), (_name(), _it())]
    raise Crash(len(held))


def _text() -> None:
    raise Crash(f"refused with {_name()}={_it()}")


def _json_text() -> None:
    raise Crash("refused " + json.dumps({"user": "bob", _name(): _it()}))


def _chained() -> None:
    try:
        raise ValueError(f"{_name()}: {_it()}")
    except ValueError as error:
        raise Crash("second") from error


def _message_number() -> None:
    raise Crash(f"no order {_it()} found")


def _note() -> None:
    raise Crash(f"it said {_it()} and went")


def _note_local() -> None:
    held = ["it said", _it()]
    raise Crash(len(held))


def _in_both() -> None:
    held = {_name(): _it()}
    raise Crash(f"no user for {held[_name()]!r} found")


def _pydantic() -> None:
    name = identifier(_name()).lstrip("_") or "x"
    model = pydantic.create_model("Login", **{name: (int, ...), "user": (str, "")})  # type: ignore[call-overload]  # names made at run time
    model.model_validate({name: _it()})


def _sqlalchemy() -> None:
    engine = sqlalchemy.create_engine("sqlite://")
    column = identifier(_name())
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(
                f'INSERT INTO missing (user, "{column}") VALUES (?, ?)', ("bob", _it())
            )
    finally:
        engine.dispose()


def _log_param() -> None:
    _log.warning("%s came with " + _name() + "=%s", "bob", _it())
    raise Crash


_CODE: Final[dict[str, Callable[[], None]]] = {
    "local dict": _local_dict,
    "nested": _nested,
    "object": _object,
    "pair": _pair,
    "exception text": _text,
    "JSON in a text": _json_text,
    "chained": _chained,
    "said and held": _in_both,
    "pydantic": _pydantic,
    "SQLAlchemy": _sqlalchemy,
    "log record": _log_param,
    "message number": _message_number,
    "note": _note,
    "note held": _note_local,
}

_BY_REPORTER: Final[dict[str, Callable[[Reporter], None]]] = {
    "extra": lambda reporter: reporter.extra({"facts": {_name(): _it()}}),
    "tags": lambda reporter: reporter.tags({_name(): _it()}),
    "breadcrumb": lambda reporter: reporter.breadcrumb(f"trying {_name()}={_it()}"),
    "user": lambda reporter: reporter.user({"id": 5, _name(): _it()}),
}

_BY_REQUEST: Final[dict[str, Callable[[str, str], Request]]] = {
    "header": lambda n, v: {"headers": {_header(n): _latin(v)}},
    "cookie": lambda n, v: {"headers": {"Cookie": f"a=b; {_header(n)}={_latin(v)}"}},
    "query": lambda n, v: {"query_string": urlencode({"page": 2, n: v})},
    "form": lambda n, v: {"method": "POST", "data": {n: v, "page": "2"}},
    "multipart": lambda n, v: {
        "method": "POST", "data": {n: v}, "content_type": "multipart/form-data",
    },
    "JSON": lambda n, v: {"method": "POST", "json": {"user": {"name": "bob", n: v}}},
    "Referer": lambda n, v: {"headers": {"Referer": f"http://localhost/x?{urlencode({n: v})}"}},
    "Basic": lambda n, v: {
        "headers": {"Authorization": "Basic " + base64.b64encode(f"bob:{v}".encode()).decode()}
    },
    "note in a query": lambda n, v: {"query_string": "note=" + quote(v)},
    "note in JSON": lambda n, v: {"method": "POST", "json": {"note": f"here: {v}"}},
    "note in a form": lambda n, v: {"method": "POST", "data": {"note": v}},
}  # fmt: skip


def _header(name: str) -> str:
    return name.replace("_", "-").encode("ascii", "ignore").decode() or "X-Secret"


def _latin(value: str) -> str:
    return value.encode("ascii", "ignore").decode()


PLACES: Final = (
    *_SOURCES, "local dict", "nested", "object", "pair", "exception text", "JSON in a text",
    "chained",
    "said and held", "pydantic", "SQLAlchemy", "log record", *_BY_REPORTER, "header", "cookie",
    "query", "form", "multipart", "JSON", "Referer", "Basic",
)  # fmt: skip
"""Where a value stands under its name."""

TEXT_PLACES: Final = (
    "local", "local dict", "nested", "pair", "exception text", "JSON in a text", "query", "form",
    "multipart", "JSON", "extra", "source dict",
)  # fmt: skip
"""Of these, those that any name fits."""

LOOKS_PLACES: Final = (
    "note", "note held", "note in a query", "note in JSON", "note in a form", "breadcrumb",
    "local dict", "source comment", "source dict", "extra",
)  # fmt: skip
"""Where a value stands under no name that says anything."""


def add_views(app: Flask, reporter: Reporter, folder: Path) -> None:
    """Give an app the view that crashes as ``?`` says nothing of: the place is set before."""

    @app.route("/crash", methods=["GET", "POST"])
    def crash() -> str:
        if request.method == "POST":
            request.get_json(silent=True) if request.is_json else request.form
        place = _boxes["place"]
        if place in _SOURCES:
            _source(place, folder)
        elif place in _CODE:
            _CODE[place]()
        elif place in _BY_REPORTER:
            _BY_REPORTER[place](reporter)
        raise Crash


def request_for(name: str, value: str, place: str) -> Request:
    """Set the case that the next request crashes with, and what the visitor sends."""
    _boxes.update(name=name, value=value, place=place)
    made = _BY_REQUEST.get(place)
    return made(name, value) if made else {}
