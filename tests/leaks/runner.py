"""Runs the reporters and counts what came out at the sink, class by class."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from base64 import b64decode
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.sentry import JSON, Received, RecordingSentry

from .corpus import CLASSES, Planted, corpus, marker

ROOT = Path(__file__).parents[2]
LIMIT = 300  # seconds of one reporter; it takes about ten


@dataclass
class Result:
    """What one reporter let out."""

    who: str
    events: int
    total: dict[str, int]
    out: dict[str, list[Planted]] = field(default_factory=dict)
    """Of each class, those whose value arrived."""

    def wrong(self, kind: str) -> list[Planted]:
        """Secrets that came out, or harmless values that did not."""
        if not kind.startswith("harmless"):
            return self.out[kind]
        arrived = set(self.out[kind])
        return [one for one in self.planted if one.kind == kind and one not in arrived]

    planted: list[Planted] = field(default_factory=list)


def _text(request: Received) -> str:
    body = request.body
    if not (request.headers.get("Content-Encoding") or body.startswith(b"{")):
        # raven's older form: deflated, then base64.
        body = zlib.decompress(b64decode(body))
    lines = []
    for line in body.split(b"\n"):
        try:
            lines.append(json.dumps(json.loads(line), ensure_ascii=False))
        except ValueError:
            lines.append(line.decode("utf-8", "replace"))
    return "\n".join(lines)


def run(who: str, share: int = 1) -> Result:
    """Let one reporter crash with one in ``share`` of the corpus.

    :raises RuntimeError: the reporter's process failed, or sent less than an event a case.
    """
    planted = corpus(share)
    with RecordingSentry(answer=lambda request: (200, JSON, b"{}")) as sink:
        done = subprocess.run(
            [sys.executable, "-m", "tests.leaks.reporter", who, sink.dsn, str(share)],
            cwd=ROOT,
            timeout=LIMIT,
            capture_output=True,
            text=True,
        )
    texts = [_text(one) for one in sink.received if one.raw]
    if done.returncode or len(texts) < len(planted):
        raise RuntimeError(f"{who}: {len(texts)} events of {len(planted)}\n{done.stderr[-3000:]}")
    everything = "\n".join(texts)
    total = {kind: sum(one.kind == kind for one in planted) for kind in CLASSES}
    out = {
        kind: [one for one in planted if one.kind == kind and marker(one) in everything]
        for kind in CLASSES
    }
    return Result(who, len(texts), total, out, planted)
