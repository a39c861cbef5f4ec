"""Apps to check, and a way to run the command on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.cli import ScriptInfo

from flask_sentry_kit import sentry_kit
from flask_sentry_kit.cli import plugin
from tests.check.checked import KEY, Check, Checked, as_a_sentry
from tests.support.certificates import Certificates
from tests.support.sentry import RecordingSentry
from tests.support.types import NewSentry


@pytest.fixture
def check() -> Check:
    """Run the command on an app; further arguments are the command's."""

    def run(app: Flask | Callable[[], Flask], *args: str) -> Checked:
        info = ScriptInfo(
            create_app=lambda: app if isinstance(app, Flask) else app(), set_debug_flag=False
        )
        result = CliRunner().invoke(plugin, ["check", "--json", *args], obj=info)
        assert not isinstance(result.exception, Exception), result.exception
        # An older click puts what is logged into the same output.
        found: list[dict[str, str]] = json.loads(result.output[result.output.index("[\n") :])
        return Checked(result.exit_code, result.output, found)

    return run


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A CA that nobody trusts."""
    folder: Path = tmp_path_factory.mktemp("ca")
    return Certificates(folder)


@pytest.fixture
def server(new_sentry: NewSentry) -> RecordingSentry:
    """A server on loopback that shows itself as a Sentry."""
    return new_sentry(answer=as_a_sentry)


@pytest.fixture
def shop(server: RecordingSentry) -> Callable[..., Flask]:
    """Make an app with the kit whose server is a Sentry; keywords are its config."""

    def make(register: Any = sentry_kit, **config: Any) -> Flask:
        app = Flask("shop")
        app.config.update({"SENTRY_DSN": server.dsn, "SECRET_KEY": KEY, **config})
        app.add_url_rule("/", "index", lambda: "fine")
        if register is not None:
            app.register_blueprint(register)
        return app

    return make
