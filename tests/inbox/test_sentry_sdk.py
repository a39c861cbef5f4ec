"""The current sentry-sdk for Python, from its registry, sends to the inbox."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from flask import request

from tests.support.beside import ENVIRONMENT
from tests.support.inbox import running

ROOT = Path(__file__).parents[2]


@pytest.mark.beside
@pytest.mark.parametrize(("brotli", "encoding"), [("with", "br"), ("without", "gzip")])
def test_all_that_sentry_sdk_sends_arrives(brotli: str, encoding: str) -> None:
    """With brotli beside it and without: its crash with a file and its message, every feedback that
    it sends as an event or as an item, beside the crash or not; everything else is counted and
    skipped."""
    encodings = set()

    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as start:
        served = start()

        @served.server.app.before_request
        def note_encoding() -> None:
            if request.method == "POST":
                encodings.add(request.headers.get("Content-Encoding"))

        done = subprocess.run(
            [sys.executable, "-m", "tests.inbox.sdk_client", served.dsn, brotli],
            cwd=ROOT,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=50,
        )
        assert done.returncode == 0, done.stderr
        crash = done.stdout.strip()
        events = served.api("events")["events"]
        kept = served.api(f"events/{crash}")
        reports = served.api("words")["words"]
        skipped = served.api("skipped")["skipped"]
    assert encodings == {encoding}
    assert [(file["name"], file["size"]) for file in kept["attachments"]] == [("cart.log", 10)]
    assert [(event["type"], event["value"]) for event in events] == [
        ("Message", "a message"),
        ("KeyError", "'sum'"),
    ]
    beside = ["captured, beside", "item one", "item two"]
    assert [report["comments"] for report in kept["words"]] == beside
    assert [one["comments"] for one in reports if not one["event_id"]] == ["captured, loose"]
    assert {(one["name"], one["email"]) for one in reports} == {("Ann", "ann@shop.example")}
    captured = kept["words"][0]
    assert ["environment", "staging"] in captured["facts"]
    assert ["release", "shop@1.2.3"] in captured["facts"]
    assert {"transaction", "sessions", "check_in", "log", "trace_metric"} <= skipped.keys()
    assert "feedback" not in skipped and "event" not in skipped
