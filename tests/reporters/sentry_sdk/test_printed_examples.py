"""The lines to paste for an app on sentry-sdk, as README and docs/sentry-sdk.md print them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask

from tests.support.sdk import Sdk

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("document", ["README.md", "docs/sentry-sdk.md"])
def test_the_lines_to_paste_work(document: str, sdk: Sdk) -> None:
    """They are all that an app needs: the crash is one event, and its page has the id."""
    text = (ROOT / document).read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    (example,) = [block for block in blocks if "sentry_sdk.init(" in block]
    app = Flask("shop")
    code = example.replace("sentry_sdk.init(", "init(")
    code = code.replace("https://key@sentry.example.com/1", sdk.wire.dsn)
    exec(compile(code, document, "exec"), {"app": app, "init": sdk.init})

    @app.get("/crash")
    def crash() -> str:
        raise LookupError

    answer = app.test_client().get("/crash", headers={"Accept": "text/html"})
    assert answer.headers["X-Sentry-ID"] == sdk.event["event_id"]
    assert answer.headers["X-Sentry-ID"] in answer.text
