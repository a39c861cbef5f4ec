"""One run of the command, and a server to run it on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from click.testing import CliRunner
from flask import Flask
from flask.cli import ScriptInfo

from flask_sentry_kit.cli import plugin
from tests.support.sentry import Answer, Received

KEY = "a secret key that is long enough"


@dataclass
class Checked:
    """What one run of the command gave."""

    code: int
    text: str
    findings: list[dict[str, str]]

    def __getitem__(self, id: str) -> dict[str, str]:
        """The one finding with this id."""
        (found,) = self.all(id)
        return found

    def all(self, id: str) -> list[dict[str, str]]:
        """The findings with this id."""
        return [one for one in self.findings if one["id"] == id]

    @property
    def levels(self) -> dict[str, str]:
        return {one["id"]: one["level"] for one in self.findings}


Check = Callable[..., Checked]


def check(app: Flask | Callable[[], Flask], *args: str) -> Checked:
    """Run the command on an app; further arguments are the command's."""
    info = ScriptInfo(
        create_app=lambda: app if isinstance(app, Flask) else app(), set_debug_flag=False
    )
    result = CliRunner().invoke(plugin, ["check", "--json", *args], obj=info)
    assert not isinstance(result.exception, Exception), result.exception
    # An older click puts what is logged into the same output.
    found: list[dict[str, str]] = json.loads(result.output[result.output.index("[\n") :])
    return Checked(result.exit_code, result.output, found)


def as_a_sentry(request: Received) -> Answer:
    """Answer as Sentry does: the dialog's script, its form, its API's root."""
    path = request.path
    if path.endswith("/api/0/"):
        root = {"version": "0", "auth": None, "user": None}
        return 200, {"Content-Type": "application/json"}, json.dumps(root).encode()
    if path.endswith("/error-page/") and request.method == "GET":
        return 200, {"Content-Type": "text/javascript"}, b"(function () {})();"
    if path.endswith(("/store/", "/error-page/", "/envelope/")):
        return 200, {"Content-Type": "application/json"}, b'{"id": "0"}'
    return 404, {"Content-Type": "text/html"}, b"<h1>Not found</h1>"
