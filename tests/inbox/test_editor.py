"""Links that open a file at its line in the developer's editor."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest

from flask_sentry_kit.inbox import InboxError
from flask_sentry_kit.inbox.content.stack import Frame
from flask_sentry_kit.inbox.pages.editor import EDITORS, Editor


def a_frame(path: str, line: int | None = 19, **more: Any) -> Frame:
    facts = {"file": path, "module": "", "function": "f", "column": None, "ours": True}
    return Frame(path=path, line=line, source=(), variables=(), more=0, **{**facts, **more})


@pytest.mark.parametrize("name", EDITORS)
def test_every_editor_gets_path_and_line(name: str) -> None:
    """Percent-encoded, so that no path can add to the address."""
    link = Editor(name).link(a_frame("/srv/my shop/a&b=c#d?e%41.py"))
    assert link is not None
    assert "/srv/my%20shop/a%26b%3Dc%23d%3Fe%2541.py" in link
    assert "19" in link and "{" not in link


def test_an_address_of_ones_own() -> None:
    """Any editor that registers a scheme; a name is read in any case."""
    editor = Editor("myeditor://open?file={path}&line={line}")
    assert editor.link(a_frame("/a.py")) == "myeditor://open?file=/a.py&line=19"
    assert Editor("VSCode").link(a_frame("/a.py", None)) == "vscode://file/a.py:1:1"
    assert (
        Editor("vscode").link(a_frame(r"C:\shop\a b.py")) == "vscode://file/C:/shop/a%20b.py:19:1"
    )


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("notepad", "is no editor that is known here"),
        ("javascript:alert('{path}')", "javascript: is not allowed"),
        ("JavaScript:alert('{path}')", "javascript: is not allowed"),
        ("data:text/html,{path}", "data: is not allowed"),
        ("http://evil.example/?{path}", "http: is not allowed"),
        ("https://evil.example/?{path}", "https: is not allowed"),
        ("file://{path}", "file: is not allowed"),
        ("view-source:{path}", "view-source: is not allowed"),
        ("myeditor://open", "has no {path} in it"),
        ("myeditor://open?{path}&{row}", "has {row} in it"),
        ("myeditor://open?{path}{", "has { in it"),
        ("my editor://{path}", "is no editor that is known here"),
        ("myeditor://a b{path}", "has white space"),
        ("java\nscript:{path}", "is no editor that is known here"),
        ("", "is no editor that is known here"),
    ],
)
def test_what_is_no_editor_is_refused(choice: str, said: str) -> None:
    """With what is accepted, and what a browser would run or send elsewhere is never a link."""
    with pytest.raises(InboxError) as error:
        Editor(choice)
    assert said in str(error.value)
    assert "vscode, " in str(error.value)


@pytest.mark.parametrize(
    "path",
    [
        "", "shop/cart.py", "//evil.example/share/a.py", r"\\evil.example\share\a.py", "/\\evil/a",
        "http://shop.example/app.js", "javascript:alert(1)", "<string>", "/srv/../etc/passwd",
        "/srv/a\nb.py", "/srv/\u202ea.py", "~/a.py", "C:a.py", "C://evil/a.py",
    ],
)  # fmt: skip
def test_a_path_that_is_not_absolute_is_no_link(path: str) -> None:
    """Nor is one that leads to another machine, or elsewhere than it reads."""
    assert Editor("vscode").link(a_frame(path)) is None


def test_the_files_of_a_container_are_found_here() -> None:
    """The longest root that fits is taken, by whole folders."""
    editor = Editor("idea", ["/app=/home/ann/shop", "/app/lib/=/home/ann/lib", r"/win=C:\shop"])
    for path, here in (
        ("/app/cart.py", "/home/ann/shop/cart.py"),
        ("/app/lib/a.py", "/home/ann/lib/a.py"),
        ("/application/a.py", "/application/a.py"),
        ("/win/a.py", "/C:/shop/a.py"),
        ("/usr/a.py", "/usr/a.py"),
    ):
        link = editor.link(a_frame(path))
        assert link is not None and unquote(link) == f"idea://open?file={here}&line=19"
    for root in ("/app", "app=/x", "/app=x", "=", ""):
        with pytest.raises(InboxError, match="two absolute folders"):
            Editor("idea", [root])
