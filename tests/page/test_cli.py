"""``flask sentry-kit eject`` and ``preview`` (cli.py, page/preview.py)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g
from flask.cli import AppGroup

from flask_sentry_kit import SentryKit, sentry_kit
from flask_sentry_kit.cli import add_commands, preview_server
from flask_sentry_kit.page import preview

BUNDLED = Path(preview.__file__).parents[1] / "templates"
STATES = [
    *("event", "no-event", "signed-in", "blocked", "post"),
    *("sent", "passed", "saved", "failed"),
]


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """An app in an empty folder, with the commands."""
    monkeypatch.chdir(tmp_path)
    return app_with(sentry_kit, tmp_path)


def app_with(kit: SentryKit, folder: Path) -> Flask:
    made = Flask("shop", root_path=str(folder))
    made.secret_key = "a key"
    made.register_blueprint(kit)
    group = AppGroup("sentry-kit")
    add_commands(group)
    made.cli.add_command(group)
    return made


def run(app: Flask, *args: str) -> Any:
    return app.test_cli_runner().invoke(args=["sentry-kit", *args])


def test_eject_copies_the_page_for_editing(app: Flask, tmp_path: Path) -> None:
    """Page, layout and form are copied to the app's folder, and edits there are shown."""
    result = run(app, "eject")
    assert result.exit_code == 0, result.output
    layout = tmp_path / "templates" / "flask_sentry_kit" / "crash.html"
    for name in ("500.html", "flask_sentry_kit/crash.html", "flask_sentry_kit/form.html"):
        ejected = (tmp_path / "templates" / name).read_bytes()
        assert ejected == (BUNDLED / name).read_bytes()
        assert os.path.join("templates", *name.split("/")) in result.output
    layout.write_text(layout.read_text(encoding="utf-8").replace("<h1>", "<h1>Edited: "))
    assert "<h1>Edited: Something broke" in client_of(app).get("/boom").text


def client_of(app: Flask) -> Any:
    app.add_url_rule("/boom", "boom", lambda: str(1 // 0))
    return app.test_client()


def test_eject_never_overwrites(app: Flask, tmp_path: Path) -> None:
    """Existing files stay and the rest is copied; nothing left to copy is an error."""
    mine = tmp_path / "templates" / "500.html"
    mine.parent.mkdir()
    mine.write_text("mine")
    first = run(app, "eject")
    assert first.exit_code == 0
    assert "is there already; left as it is." in first.output
    assert mine.read_text() == "mine"
    second = run(app, "eject")
    assert second.exit_code == 1
    assert mine.read_text() == "mine"


def test_eject_follows_no_link_out_of_the_folder(app: Flask, tmp_path: Path) -> None:
    """A dangling link counts as an existing file."""
    target = tmp_path / "elsewhere.html"
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "500.html").symlink_to(target)
    assert "left as it is" in run(app, "eject").output
    assert not target.exists()


def test_eject_uses_the_apps_name_for_the_page(tmp_path: Path) -> None:
    """The page is copied under the name in SENTRY_KIT_TEMPLATE, where the kit looks for it."""
    app = Flask("shop", root_path=str(tmp_path))
    app.register_blueprint(SentryKit(template="errors/crash.html"))
    group = AppGroup("sentry-kit")
    add_commands(group)
    app.cli.add_command(group)
    assert run(app, "eject").exit_code == 0
    assert (tmp_path / "templates" / "errors" / "crash.html").exists()


def test_without_the_kit_the_commands_say_so() -> None:
    """A clear error, no traceback."""
    app = Flask("shop")
    group = AppGroup("sentry-kit")
    add_commands(group)
    app.cli.add_command(group)
    for command in ("eject", "preview"):
        result = run(app, command)
        assert result.exit_code == 1
        assert "not registered" in result.output


def test_preview_writes_every_state(app: Flask, tmp_path: Path, page: Any) -> None:
    """The pages open from the disk with their stylesheet, and no event is sent."""
    result = run(app, "preview", "--write", "out")
    assert result.exit_code == 0, result.output
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {f"{name}.html" for name in (*STATES, "index")} | {
        "crash.css",
        "dialog.js",
        "icon.png",
    }
    page.goto((tmp_path / "out" / "index.html").as_uri())
    page.route("**/api/embed/**", lambda route: route.abort())
    assert page.locator("a").all_text_contents() == STATES
    page.click("text=signed-in")
    assert page.input_value("[name=name]") == "Ada Lovelace"
    assert page.evaluate("getComputedStyle(document.body).display") == "grid"


def test_preview_of_a_page_with_its_own_sdk(tmp_path: Path, page: Any) -> None:
    """Where @sentry/browser is to open the dialog and is not there, the form is, without error."""
    out = tmp_path / "out"
    app = app_with(SentryKit(raven_js="browser"), tmp_path)
    assert run(app, "preview", "--write", str(out)).exit_code == 0
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((out / "event.html").as_uri())
    assert "Sentry.showReportDialog({" in page.content()
    assert page.is_visible("[name=comments]")
    assert errors == []


def test_preview_shows_the_apps_own_template(app: Flask, tmp_path: Path) -> None:
    """With the values that its hooks put on g, as in a real request."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "500.html").write_text("{{ g.shop }} {{ event_id is not none }}")
    app.before_request(lambda: setattr(g, "shop", "Tea"))
    assert run(app, "preview", "--write", "out").exit_code == 0
    assert (tmp_path / "out" / "event.html").read_text() == "Tea True"
    assert (tmp_path / "out" / "no-event.html").read_text() == "Tea False"


@pytest.mark.parametrize("name", ["index.html", "crash.css", "dialog.js", "event.html"])
def test_preview_never_replaces_a_file_it_did_not_write(
    app: Flask, tmp_path: Path, name: str
) -> None:
    """Also one that is a link, and one that was edited since: then nothing is written."""
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    result = run(app, "preview", "--write", "out")
    assert result.exit_code == 1
    assert name in result.output
    assert "Nothing was written" in result.output
    assert [(entry.name, entry.read_text()) for entry in out.iterdir()] == [(name, "mine")]
    (out / name).unlink()
    (tmp_path / "elsewhere").write_text("mine")
    (out / name).symlink_to(tmp_path / "elsewhere")
    assert run(app, "preview", "--write", "out").exit_code == 1
    assert (tmp_path / "elsewhere").read_text() == "mine"
    (out / name).unlink()
    assert run(app, "preview", "--write", "out").exit_code == 0
    written = (out / name).read_bytes()
    (out / name).write_bytes(written + b"edited")
    assert run(app, "preview", "--write", "out").exit_code == 1
    assert (out / name).read_bytes() == written + b"edited"


def test_preview_replaces_what_it_wrote(app: Flask, tmp_path: Path) -> None:
    """Any number of times, in another language too, without leaving other files there."""
    assert run(app, "preview", "--write", "out", "--lang", "de").exit_code == 0
    before = {entry.name: entry.read_bytes() for entry in (tmp_path / "out").iterdir()}
    assert run(app, "preview", "--write", "out", "--lang", "fr").exit_code == 0
    after = {entry.name: entry.read_bytes() for entry in (tmp_path / "out").iterdir()}
    assert before.keys() == after.keys()
    assert before["event.html"] != after["event.html"]


def test_preview_serves_every_state(app: Flask, serve: Any, page: Any) -> None:
    """Under the kit's own prefix, with stylesheet and script from the app itself."""
    base = serve(preview_server(app, app.extensions["sentry_kit"], "/_sentry_kit/preview"))
    page.route("**/api/embed/**", lambda route: route.abort())
    failed: list[str] = []
    page.on("response", lambda one: failed.append(one.url) if one.status != 200 else None)
    page.goto(f"{base}/_sentry_kit/preview")
    assert page.locator("a").all_text_contents() == STATES
    for name in STATES:
        page.goto(f"{base}/_sentry_kit/preview/{name}")
        assert page.locator("h1").count() == 1
    assert [url for url in failed if "favicon" not in url] == []
    assert page.goto(f"{base}/_sentry_kit/preview/nothing").status == 404


@pytest.mark.parametrize("debug", [True, False])
def test_the_preview_route_is_for_debugging_only(tmp_path: Path, debug: bool) -> None:
    """In a live app the route is not found."""
    app = Flask("shop", root_path=str(tmp_path))
    app.debug = debug
    app.register_blueprint(sentry_kit)
    client = app.test_client()
    for path in ("/_sentry_kit/preview", "/_sentry_kit/preview/event"):
        assert client.get(path).status_code == (200 if debug else 404)
