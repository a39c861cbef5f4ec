"""Generated code has no file: it is not the app's own and not shown with a file's lines."""

from __future__ import annotations

import ast
import linecache
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import attrs
import flask_sqlalchemy
import pytest
import sqlalchemy
from flask import Flask, render_template_string
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from flask_sentry_kit.event.frames import Stacks
from flask_sentry_kit.event.scrub import Scrubber
from flask_sentry_kit.event.serialize import Serializer
from flask_sentry_kit.inbox.content.reading import read_event

Make = Callable[..., Flask]


def frames_of(code: Callable[[], Any], **options: Any) -> list[dict[str, Any]]:
    """The frames of a failing call below this one, outermost first."""
    try:
        code()
    except Exception as error:
        found = Stacks(**options).of_traceback(error.__traceback__, Serializer(Scrubber()))
        assert found is not None
        frames: list[dict[str, Any]] = found["frames"]
        return frames[1:]
    raise AssertionError


def breaks() -> int:
    raise ValueError("broken")


@dataclass
class Order:
    """A dataclass whose generated ``__init__`` calls a function that raises."""

    number: int = field(default_factory=breaks)


@attrs.define
class Parcel:
    """The same with attrs."""

    number: int = attrs.field(factory=breaks)


Point = namedtuple("Point", "x y")  # noqa: PYI024  # its generated __new__ is what is tested


@pytest.mark.parametrize("kind", [Order, Parcel], ids=["dataclass", "attrs"])
def test_a_generated_method_is_not_the_apps(kind: type) -> None:
    """The generated __init__ of a dataclass or attrs class is not the app's code, even if
    include_paths list its module. The functions that it calls are the app's code."""
    *_, made, last = frames_of(kind, include=[__name__])
    assert made["function"] == "__init__"
    assert made["abs_path"].startswith("<")
    assert made["in_app"] is False
    assert "vars" not in made
    assert (last["function"], last["in_app"]) == ("breaks", True)


def test_generated_code_shows_no_line_of_the_module_it_was_made_in() -> None:
    """exec() with a module's globals: line 2 of "<string>" is not line 2 of that module."""
    space: dict[str, Any] = {
        "__name__": ast.__name__,
        "__loader__": ast.__loader__,
        "__file__": ast.__file__,
    }
    exec("\ndef crash():\n    raise ValueError", space)
    frame = frames_of(space["crash"])[-1]
    assert frame["lineno"] == 3
    assert "context_line" not in frame
    assert frame["in_app"] is False


def test_generated_lines_are_those_that_linecache_has() -> None:
    """attrs gives the lines of its generated code to linecache, and those are shown."""
    [made] = [frame for frame in frames_of(Parcel) if frame["function"] == "__init__"]
    assert made["context_line"] == linecache.getline(made["abs_path"], made["lineno"]).rstrip()
    assert "number" in made["context_line"]


def test_lines_of_another_code_object_are_not_shown() -> None:
    """Many codes share the name "<string>", so it does not prove that lines belong to this code."""
    lines = ["import os\n", "other = 1\n", "# and so on\n"]
    linecache.cache["<string>"] = (34, None, lines, "<string>")
    try:
        space: dict[str, Any] = {}
        exec("\ndef crash():\n    raise ValueError", space)
        [frame] = frames_of(space["crash"])
    finally:
        linecache.cache.pop("<string>", None)
    assert "context_line" not in frame


def test_a_template_is_the_apps_without_a_file_too(make_app: Make, wire: Any) -> None:
    """A template of render_template_string() is called "<template>" and is the app's own."""
    app = make_app()

    @app.get("/page")
    def page() -> str:
        return render_template_string("\n{{ 1 / none_left }}", none_left=0)

    app.test_client().get("/page")
    frame = wire.one_event(app)["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert frame["abs_path"] == "<template>"
    assert frame["in_app"] is True
    assert frame["vars"]["none_left"] == 0


def test_a_namedtuples_error_is_the_callers() -> None:
    """If a namedtuple's __new__ gets too few arguments, the app's line is the innermost frame."""
    frames = frames_of(lambda: Point(**{"x": 1}))
    assert [frame["in_app"] for frame in frames][-1] is True


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "account"
    number: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(sqlalchemy.String(80), unique=True)


def test_database_errors_of_two_views_are_two_crashes(make_app: Make, wire: Any) -> None:
    """SQLAlchemy's generated code is not shown with a copyright line, and the inbox does not group
    by it but by the app's innermost frame."""
    app = make_app(SQLALCHEMY_DATABASE_URI="sqlite://")
    db = flask_sqlalchemy.SQLAlchemy(app, model_class=Base)
    with app.app_context():
        Base.metadata.create_all(db.engine)

    @app.get("/sign-up")
    def sign_up() -> str:
        db.session.add_all([Account(email="a@example.org"), Account(email="a@example.org")])
        db.session.flush()
        return ""

    @app.get("/change")
    def change() -> str:
        db.session.execute(sqlalchemy.insert(Account).values(number=1, email=None))
        return ""

    @app.get("/add")
    def add() -> str:
        db.session.add(Account(email=None))
        db.session.flush()
        return ""

    client = app.test_client()
    for path in ("/sign-up", "/change", "/add"):
        client.get(path)
    assert app.extensions["sentry"].flush(5)
    assert len(wire.events) == 3
    for event in wire.events:
        for value in event["exception"]["values"]:
            for frame in (value.get("stacktrace") or {}).get("frames", ()):
                assert "Copyright" not in str(frame.get("context_line"))
                assert frame["in_app"] is (frame["module"] == __name__), frame["abs_path"]
    read = [read_event(event) for event in wire.events]
    assert [event.where.rpartition(".")[2] for event in read] == ["sign_up", "change", "add"]
    assert len({event.key for event in read}) == 3
