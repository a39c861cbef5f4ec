"""Frames have location, surrounding lines and locals, and no code of the app is run for them."""

from __future__ import annotations

import linecache
import os
import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, render_template

from flask_sentry_kit.event.frames import Stacks, calling_frame, is_library
from flask_sentry_kit.event.scrub import Scrubber
from flask_sentry_kit.event.serialize import Serializer

Make = Callable[..., Flask]


def _frames(code: Callable[[], Any], **options: Any) -> list[dict[str, Any]]:
    try:
        code()
    except Exception as error:
        found = Stacks(**options).of_traceback(error.__traceback__, Serializer(Scrubber()))
        assert found is not None
        frames: list[dict[str, Any]] = found["frames"]
        return frames[1:]
    raise AssertionError


def test_source_lines_and_locals() -> None:
    """The innermost frame has its line, five before and after, and what the variables held."""

    def crash() -> None:
        name = "Alice"
        number = 5
        raise ValueError(name * number)

    [frame] = _frames(crash)
    assert frame["function"] == "crash"
    assert frame["context_line"].strip() == "raise ValueError(name * number)"
    assert frame["pre_context"][-1].strip() == "number = 5"
    assert len(frame["pre_context"]) == 5
    assert len(frame["post_context"]) == 5
    assert frame["vars"] == {"name": "Alice", "number": 5}
    assert frame["abs_path"] == __file__
    assert frame["in_app"] is True
    assert frame["lineno"] == crash.__code__.co_firstlineno + 3


def test_locals_can_be_switched_off() -> None:
    """capture_locals=False sends none."""
    [frame] = _frames(lambda: int("x"), capture_locals=False)
    assert "vars" not in frame


def test_what_is_library_code() -> None:
    """Files of Python and of installed packages are not the app's own code."""
    import json

    import flask

    assert is_library(json.__file__)
    assert is_library(flask.__file__)
    assert is_library("<frozen importlib._bootstrap>")
    assert not is_library(__file__)


def test_include_and_exclude_paths() -> None:
    """include_paths mark code as the app's own, and exclude_paths override them."""
    crash = lambda: int("x")  # noqa: E731  # a frame of this module
    assert _frames(crash)[0]["in_app"] is True
    assert _frames(crash, strict=True)[0]["in_app"] is False
    assert _frames(crash, strict=True, include=[__name__])[0]["in_app"] is True
    assert _frames(crash, include=[__name__], exclude=[__name__])[0]["in_app"] is False
    # A prefix of a name is not its package.
    assert _frames(crash, strict=True, include=[__name__[:-2]])[0]["in_app"] is False


def test_an_app_that_is_installed_is_still_the_apps_own(make_app: Make, tmp_path: Path) -> None:
    """An app in site-packages keeps its frames and locals: its package is in include_paths."""
    folder = tmp_path / "site-packages" / "installed_shop"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("def crash():\n    order = 5\n    raise ValueError\n")
    sys.path.insert(0, str(folder.parent))
    try:
        import installed_shop  # type: ignore[import-not-found]  # made above

        [frame] = _frames(installed_shop.crash, include=["installed_shop"])
    finally:
        sys.path.remove(str(folder.parent))
        sys.modules.pop("installed_shop", None)
    assert frame["in_app"] is True
    assert frame["vars"] == {"order": 5}
    assert frame["filename"] == "installed_shop/__init__.py"


def test_no_app_module_is_imported_or_called(make_app: Make, wire: Any, tmp_path: Path) -> None:
    """include_paths are names to compare: nothing is imported, no version() is called."""
    (tmp_path / "explodes_on_import.py").write_text("raise SystemExit('imported')\n")
    sys.path.insert(0, str(tmp_path))
    try:
        app = make_app(SENTRY_CONFIG={"include_paths": ["explodes_on_import"]})
        response = app.test_client().get("/boom")
    finally:
        sys.path.remove(str(tmp_path))
    assert response.headers["X-Sentry-ID"] == wire.one_event(app)["event_id"]
    assert "explodes_on_import" not in sys.modules


def test_a_template_is_shown_as_a_template(make_app: Make, wire: Any, tmp_path: Path) -> None:
    """A crash in a template shows the template's own line and variables."""
    (tmp_path / "page.html").write_text("<h1>Hello</h1>\n<p>{{ 1 / none_left }}</p>\n")
    app = make_app()
    app.jinja_loader.searchpath[:] = [str(tmp_path)]  # Flask's loader

    @app.get("/page")
    def page() -> str:
        return render_template("page.html", none_left=0)

    app.test_client().get("/page")
    frame = wire.one_event(app)["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert frame["context_line"] == "<p>{{ 1 / none_left }}</p>"
    assert frame["lineno"] == 2
    assert frame["abs_path"].endswith("page.html")
    assert frame["vars"]["none_left"] == 0


def test_code_without_a_file(tmp_path: Path) -> None:
    """exec, eval and files that are gone have frames without source."""
    gone = tmp_path / "gone.py"
    for path in ("<string>", "", "\0", str(gone), str(tmp_path), "x" * 5_000):
        space: dict[str, Any] = {}
        exec(
            compile("def crash():\n    raise ValueError\n", path.replace("\0", "n"), "exec"), space
        )
        [frame] = _frames(space["crash"])
        assert frame["function"] == "crash"
        assert frame["lineno"] == 2


def test_source_of_a_module_in_a_zip(tmp_path: Path) -> None:
    """If there is no file, the source comes from the module's loader."""
    archive = tmp_path / "packed.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("packed_shop.py", "def crash():\n    raise ValueError('zipped')\n")
    sys.path.insert(0, str(archive))
    try:
        import packed_shop  # type: ignore[import-not-found]  # made above

        [frame] = _frames(packed_shop.crash)
    finally:
        sys.path.remove(str(archive))
        sys.modules.pop("packed_shop", None)
    assert frame["context_line"] == "    raise ValueError('zipped')"


@pytest.mark.parametrize(
    ("encoding", "text"), [("latin-1", "é"), ("utf-8", "日本"), ("no-such", "x"), ("cp1252", "€")]
)
def test_source_in_its_own_encoding(tmp_path: Path, encoding: str, text: str) -> None:
    """A file is read in the encoding that it declares."""
    real = "utf-8" if encoding == "no-such" else encoding
    path = tmp_path / f"coded_{real.replace('-', '_')}.py"
    source = f"# -*- coding: {encoding} -*-\ndef crash():\n    raise ValueError('{text}')\n"
    path.write_bytes(source.encode(real))
    space: dict[str, Any] = {}
    exec(compile(source.partition("\n")[2], str(path), "exec"), space)
    # compiled without its first line: one line up from the one that raises
    [frame] = _frames(space["crash"])
    assert frame["post_context"][0] == f"    raise ValueError('{text}')"


def test_huge_and_odd_sources(tmp_path: Path) -> None:
    """A line of a megabyte is cut. A huge file, a device and a folder are not read at all."""
    path = tmp_path / "long_line.py"
    path.write_text("def crash(): raise ValueError('" + "x" * 1_000_000 + "')\n")
    space: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), space)
    [frame] = _frames(space["crash"])
    assert len(frame["context_line"]) <= 210
    huge = tmp_path / "huge.py"
    huge.write_text("def crash():\n    raise ValueError\n" + "#" * 3_000_000)
    exec(compile("def crash():\n    raise ValueError\n", str(huge), "exec"), space)
    [frame] = _frames(space["crash"])
    assert "context_line" not in frame


def test_hostile_modules() -> None:
    """A module whose name is no string, or whose loader raises, has frames too."""

    class Loader:
        def get_source(self, name: str) -> str:
            raise SystemExit

    for name, loader in ((5, None), (None, None), ("odd", Loader()), ("odd", 5)):
        space: dict[str, Any] = {"__name__": name, "__loader__": loader}
        exec(compile("def crash():\n    raise ValueError\n", "<odd>", "exec"), space)
        [frame] = _frames(space["crash"])
        assert frame["function"] == "crash"


def test_frames_can_ask_to_be_hidden() -> None:
    """raven's __traceback_hide__ leaves a frame out."""

    def hidden() -> None:
        __traceback_hide__ = True
        raise ValueError

    def crash() -> None:
        hidden()

    assert [frame["function"] for frame in _frames(crash)] == ["crash"]


def test_what_only_looks_like_a_traceback() -> None:
    """Objects that task queues use in place of tracebacks break nothing."""
    fake = types.SimpleNamespace(tb_frame=5, tb_next=None, tb_lineno=1)
    assert Stacks().of_traceback(fake, Serializer(Scrubber())) is None  # type: ignore[arg-type]  # a stand-in
    assert Stacks().of_traceback(None, Serializer(Scrubber())) is None


def test_a_traceback_in_a_circle_ends() -> None:
    """Such an object that refers to itself breaks nothing either."""
    circle = types.SimpleNamespace(tb_frame=sys._getframe(), tb_lineno=1)
    circle.tb_next = circle
    found = Stacks().of_traceback(circle, Serializer(Scrubber()))  # type: ignore[arg-type]  # a stand-in
    assert found is not None
    assert len(found["frames"]) == 60


def test_the_calling_frame_is_the_apps() -> None:
    """The stack of a message begins at the app's call."""
    frame = calling_frame()
    assert frame is not None
    assert frame.f_code.co_name == "test_the_calling_frame_is_the_apps"


def test_nothing_is_left_in_pythons_own_cache() -> None:
    """linecache, which a debugger may hold, is neither filled nor cleared."""
    before = dict(linecache.cache)
    _frames(lambda: int("x"))
    assert dict(linecache.cache) == before


def test_one_large_variable_does_not_hide_the_others() -> None:
    """Each variable gets a share of the budget."""

    def crash() -> None:
        first = {str(n): "x" * 400 for n in range(1_000)}  # noqa: F841
        second = [["y" * 400] * 50] * 50  # noqa: F841
        third = "seen"  # noqa: F841
        raise ValueError

    [frame] = _frames(crash)
    assert frame["vars"]["third"] == "seen"
    assert os.path.isabs(frame["abs_path"])
