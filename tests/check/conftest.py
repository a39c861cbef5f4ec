"""Apps to check, and a way to run the command on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_sentry_kit import sentry_kit
from tests.check.checked import KEY, Check, as_a_sentry, check
from tests.support.certificates import Certificates
from tests.support.sentry import RecordingSentry
from tests.support.types import NewSentry


@pytest.fixture(name="check")
def check_fixture() -> Check:
    """Run the command on an app; further arguments are the command's."""
    return check


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
