"""The code in the README works as it is printed there."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, Response

from flask_sentry_kit import sentry_kit
from tests.support.sentry import RecordingSentry

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The fenced examples in this language, those within a list without their indent."""
    found = re.findall(rf"^( *)```{re.escape(language)}\n(.*?)^ *```", README, re.M | re.S)
    assert found
    return [re.sub(rf"^{indent}", "", text, flags=re.M) for indent, text in found]


class Refused(Exception):
    """Stands for the exceptions of a reader's app."""


def refuse(*_: Any) -> str:
    raise Refused


# One that initialises sentry-sdk is run where that may be: tests/reporters/sentry_sdk.
@pytest.mark.parametrize("example", [one for one in blocks("python") if "sentry_sdk" not in one])
def test_every_python_example_runs(
    example: str, wire: RecordingSentry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each runs in an app of its own, and that app can still be built and crashed after it."""
    # What an example hooks into logging goes when the test ends.
    monkeypatch.setattr(logging.getLogger(), "handlers", list(logging.getLogger().handlers))
    monkeypatch.setenv("SENTRY_DSN", wire.dsn)
    app = Flask("readme", root_path=str(ROOT))
    if re.search(r"sentry\.(capture|flush)|(csp_sources|capture_feedback)\(", example):
        # These ask the kit at once; the others are the app's set-up, which comes before it.
        app.register_blueprint(sentry_kit)
    given: dict[str, Any] = {
        "app": app,
        "Flask": Flask,
        "Talisman": lambda app, **options: None,
        "limiter": SimpleNamespace(limit=lambda rate: lambda check: check),
        "logging": logging,
        "sentry_kit": sentry_kit,
        "CardError": Refused,
        "DatabaseDown": Refused,
        "OutOfStock": KeyError,
        "card": None,
        "charge": refuse,
        "page_the_operator": lambda: None,
        "__name__": "readme",
        "__file__": str(ROOT / "tests" / "shop.py"),
    }
    example = example.replace("https://key@sentry.example.com/1", wire.dsn)
    with app.app_context():
        exec(compile(example, "README.md", "exec"), given)
        if "create_app" in given:
            app = given["create_app"]()
    if "sentry_kit" not in app.extensions:
        app.register_blueprint(sentry_kit)

    @app.get("/crash")
    def crash() -> Response:
        raise Refused

    assert app.test_client().get("/crash").status_code == 500
    assert app.extensions["sentry"].flush(10)
    assert wire.events


def test_the_template_examples_render(tmp_path: Path, wire: RecordingSentry) -> None:
    """Both ways to a page of one's own give a page with status 500 and the dialog's options."""
    for example in blocks("html+jinja"):
        (tmp_path / "templates").mkdir(exist_ok=True)
        (tmp_path / "templates" / "500.html").write_text(example, "utf-8")
        app = Flask("readme", root_path=str(tmp_path))
        app.config["SENTRY_DSN"] = wire.dsn
        app.register_blueprint(sentry_kit)
        app.add_url_rule("/crash", view_func=refuse)
        answer = app.test_client().get("/crash", headers={"Accept": "text/html"})
        assert answer.status_code == 500
        heading = re.search(r"<h1>(.+?)</h1>|%}(The .+?){%", example)
        assert heading and (heading[1] or heading[2]) in answer.text
        assert "Raven.showReportDialog({" in answer.text
        assert app.extensions["sentry"].flush(10)
