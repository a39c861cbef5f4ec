"""``flask sentry-kit …``: commands to preview the page, and to copy its templates."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from flask import Flask, current_app
from werkzeug.exceptions import HTTPException

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from .kit import Kit

_LAYOUT: Final = ("flask_sentry_kit/crash.html", "flask_sentry_kit/form.html")


def add_commands(group: click.Group) -> None:
    """Put the commands on the blueprint's ``AppGroup``, which gives each the app's context."""
    group.help = "The crash page of the Sentry kit: see it, and make it your own."
    group.command("eject")(eject)
    group.command("preview")(preview)


def _app_and_kit() -> tuple[Flask, Kit]:
    from .kit import kit_of

    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
    kit = kit_of(app)
    if kit is None:
        raise click.ClickException("The kit is not registered on this app.")
    return app, kit


def eject() -> None:
    """Copy the bundled templates into the app, to edit them there.

    The page, its layout and its form land in the app's template folder and win from then on. A
    file that is there already is never touched.
    """
    app, kit = _app_and_kit()
    if not app.template_folder:
        raise click.ClickException("This app has no template folder.")
    folder = Path(app.root_path, app.template_folder)
    template = kit.settings.template
    written = [_copy("500.html", folder / template)]
    written += [_copy(name, folder / name) for name in _LAYOUT]
    if not any(written):
        raise click.ClickException("Nothing was copied.")


def _copy(name: str, target: Path) -> bool:
    from .page.respond import TEMPLATES

    source = Path(TEMPLATES, name).read_bytes()
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("xb") as file:
            file.write(source)
    except FileExistsError:
        click.echo(f"{_short(target)} is there already; left as it is.")
        return False
    click.echo(f"{_short(target)} written.")
    return True


def _short(path: Path) -> str:
    try:
        return os.path.relpath(path)
    except ValueError:
        # On Windows: the path is on a different drive.
        return str(path)


@click.option("--port", default=5050, show_default=True, help="Port on 127.0.0.1 to serve on.")
@click.option(
    "--write",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the pages into this folder instead of serving them.",
)
@click.option("--lang", default="", help="Language to write, as in Accept-Language.")
def preview(port: int, folder: Path | None, lang: str) -> None:
    """Show the crash page in every state, with the app's own template if it has one.

    With --write, a file that this command did not write, or that was edited since, is never
    replaced: then nothing is written at all.
    """
    from werkzeug.serving import run_simple

    app, kit = _app_and_kit()
    if folder is not None:
        _write(app, kit, folder, lang)
        return
    with app.test_request_context("/"):
        path = kit.url("preview")
    click.echo(f"The crash page in every state: http://127.0.0.1:{port}{path}")
    run_simple("127.0.0.1", port, preview_server(app, kit, path), threaded=True)


def _write(app: Flask, kit: Kit, folder: Path, language: str) -> None:
    from .page import preview as pages
    from .page.respond import STATIC
    from .page.written import PagesError, write_pages

    files: dict[str, bytes] = {
        "index.html": pages.index(lambda state: f"{state.name}.html").encode(),
        "crash.css": kit.page.stylesheet,
        **{name: Path(STATIC, name).read_bytes() for name in ("dialog.js", "icon.png")},
    }
    with app.test_request_context("/"):
        for state in pages.STATES:
            html = pages.show(app, kit, state, language, asset_url=str)
            files[f"{state.name}.html"] = html.encode()
    try:
        write_pages(folder, files)
    except PagesError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{len(pages.STATES)} pages written to {_short(folder)}; open index.html.")


def preview_server(app: Flask, kit: Kit, path: str) -> WSGIApplication:
    """The app with the preview in front of it, debug mode or not.

    :param path: where the preview is.
    """

    from .page import preview as pages

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        asked = environ.get("PATH_INFO", "")
        if asked != path and not asked.startswith(f"{path}/"):
            return app(environ, start_response)
        with app.request_context(environ):
            response: Any
            try:
                response = pages.answer(app, kit, asked[len(path) + 1 :] or None)
            except HTTPException as error:
                response = error.get_response()
            return list(response(environ, start_response))

    return serve
