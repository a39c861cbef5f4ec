"""``flask sentry-kit …``: commands to check an app, preview its page, copy its templates, and start
an inbox."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from flask import Flask, current_app
from flask.cli import AppGroup, NoAppException, ScriptInfo
from werkzeug.exceptions import HTTPException

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from .kit import Kit

_LAYOUT: Final = ("flask_sentry_kit/crash.html", "flask_sentry_kit/form.html")


def add_commands(group: click.Group) -> None:
    """Put the commands on the blueprint's ``AppGroup``, which gives each the app's context."""
    group.help = "The crash page of the Sentry kit: check it, see it, and make it your own."
    # It loads the app itself, to say in one line why that fails.
    group.add_command(click.Command("check", callback=check, params=_CHECK_OPTIONS, help=_CHECK))
    # It needs no app, and starts where one fails to load. Its options are argparse's.
    group.add_command(
        click.Command(
            "inbox",
            callback=inbox,
            params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
            context_settings={"ignore_unknown_options": True},
            add_help_option=False,
            help=_INBOX,
        )
    )
    group.command("eject")(eject)
    group.command("preview")(preview)


_INBOX: Final = "Start a Sentry of your own for this machine; --help says its options."

_CHECK: Final = """Say what would happen at a crash, and exit with 1 if something is broken.

Sends a marked event, and marked words about it, to the app's Sentry. Its dialog's address is asked,
and the app crashes once for itself, without a visitor, an event or a log line.
"""

_CHECK_OPTIONS: Final[list[click.Parameter]] = [
    click.Option(["--dry-run"], is_flag=True, help="Send neither event nor words."),
    click.Option(["--json", "as_json"], is_flag=True, help="Print a list for machines."),
    click.Option(
        ["--url"],
        default="",
        metavar="URL",
        help="The app's address as visitors have it, if SERVER_NAME does not say it.",
    ),
]


@click.pass_context
def check(context: click.Context, dry_run: bool, as_json: bool, url: str) -> None:
    from .check import as_json as json_of
    from .check import as_text, check_app, is_broken, not_loaded
    from .dsn import DsnError
    from .outbox.outbox import without_resuming
    from .settings import SettingError

    if url and not re.fullmatch(r"https?://[^/@?#\s]+(?:/[^?#\s]*)?", url):
        raise click.BadParameter(
            "takes an address such as https://shop.example", param_hint="--url"
        )
    name = ""
    try:
        with without_resuming():
            app = context.ensure_object(ScriptInfo).load_app()
            name = app.name
            findings = check_app(app, send=not dry_run, url=url)
    except (NoAppException, click.ClickException):
        raise
    except (SettingError, DsnError) as error:
        findings = not_loaded(error, setting=True)
    except Exception as error:
        if name:
            raise
        findings = not_loaded(error, setting=False)
    click.echo(json_of(findings) if as_json else as_text(findings))
    if is_broken(findings):
        context.exit(1)


@click.pass_context
def inbox(context: click.Context, arguments: tuple[str, ...]) -> None:
    from .inbox.command import main

    context.exit(main(arguments, prog="flask sentry-kit inbox"))


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


plugin: Final = AppGroup("sentry-kit")
"""For the entry point ``flask.commands``: the commands are there also if the app fails to load."""
add_commands(plugin)
