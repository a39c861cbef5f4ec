"""The guide from raven to sentry-sdk (docs/sentry-sdk.md), tried: one app before and after."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from flask_sentry_kit.reporters import choice
from tests.support.beside import ENVIRONMENT
from tests.support.sentry import RecordingSentry

ROOT = Path(__file__).parents[2]
OLDEST = ROOT / ".sentry-sdk-oldest"


def run(by: str, sentry: RecordingSentry, spool: Path, release: str = "newest") -> Any:
    """What a visitor saw of tests/support/moving_shop.py."""
    before = [str(OLDEST)] if release == "oldest" else []
    path = os.pathsep.join([*before, *filter(None, [ENVIRONMENT.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.moving_shop", by, sentry.dsn, str(spool)],
        cwd=ROOT,
        env={**ENVIRONMENT, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def facts(event: dict[str, Any]) -> dict[str, Any]:
    """What the guide says is the same."""
    (error,) = event["exception"]["values"]
    source = ("context_line", "pre_context", "post_context")
    line = ("module", "function", "lineno", "in_app", *source)
    extra = {name: value for name, value in event["extra"].items() if name != "sys.argv"}
    user = {name: value for name, value in event["user"].items() if name != "ip_address"}
    names = ("level", "platform", "transaction", "environment", "release", "server_name", "tags")
    return {
        **{name: event[name] for name in names},
        "error": [error[name] for name in ("type", "value", "module")],
        "mechanism": [error["mechanism"][name] for name in ("type", "handled")],
        "frames": [{name: one[name] for name in line} for one in error["stacktrace"]["frames"]],
        "request": [event["request"][name] for name in ("url", "method", "query_string")],
        "user": user,
        "extra": extra,
    }


def page(shown: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A crash's id, and what the visitor saw of it but for the id and the form's signature."""
    event_id = shown["headers"]["X-Sentry-ID"]
    same = {name: shown[name] for name in ("status", "headers", "page", "ignored", "said")}
    text = re.sub(r"(?<=ID\.)[\w.-]+", "SIGNATURE", json.dumps(same).replace(event_id, "ID"))
    return event_id, json.loads(text)


@pytest.mark.parametrize(
    "line", [choice._BOTH % "shop", choice._LATE % "shop"], ids=["both", "late"]
)
def test_the_guide_has_the_log_lines_word_for_word(line: str) -> None:
    """So that a search for a line of one's own log finds it."""
    assert line in (ROOT / "docs" / "sentry-sdk.md").read_text("utf-8")


@pytest.mark.beside
@pytest.mark.parametrize("release", ["newest", "oldest"])
def test_an_app_that_moves_to_sentry_sdk_loses_nothing(release: str) -> None:
    """Its visitors see the same page, and its events have the same facts. What was written while
    Sentry was away, to a process with raven that was killed, is sent by the one with sentry-sdk."""
    sentry = RecordingSentry()
    with TemporaryDirectory() as folder, closing(sentry):
        spool = Path(folder, "spool.sqlite")
        sentry.answer = lambda request: (503, {}, b"")
        before = run("raven", sentry, spool)
        sentry.answer = None
        after = run("sentry-sdk", sentry, spool, release)
        assert (before["has raven"], after["has raven"]) == (True, False)
        (first_id, first), (second_id, second) = page(before), page(after)
        assert first == second
        assert first["said"] == 303 and first["ignored"][1].get("X-Sentry-ID") is None
        assert (
            "Reference: <code>ID</code>" in first["page"] and "The till is jammed" in first["page"]
        )

        taken = [one for one in sentry.received if one.status == 200]
        found = [one.event for one in taken if one.event is not None]
        events = {event["event_id"]: event for event in found}
        assert len(events) == len(found)
        assert events.keys() == {first_id, second_id}
        expected = facts(events[first_id])
        assert facts(events[second_id]) == expected
        assert expected["tags"] == {"team": "tills", "till": "3"}
        assert expected["user"]["data"] == {"plan": "gold"}

        words = {one.query["eventId"]: one.fields["comments"] for one in taken if one.is_report}
        assert words == {
            first_id: "I pressed pay (raven).",
            second_id: "I pressed pay (sentry-sdk).",
        }
