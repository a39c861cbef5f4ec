"""What importing a reporter costs a process that has Flask, and what switching it on costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from statistics import median

from .verdict import verdict

IMPORT_GOAL_MS = 20.0
IMPORT_GOAL = 0.6  # × sentry-sdk's Flask integration

_DSN = "http://public@127.0.0.1:9/1"  # nothing listens there, and nothing is sent

# Name: what is imported, and what switches it on.
CONTENDERS = {
    "raven": (
        "from raven.contrib.flask import Sentry",
        f"Sentry(app, dsn={_DSN!r})",
    ),
    "sentry-sdk": (
        "import sentry_sdk; from sentry_sdk.integrations.flask import FlaskIntegration",
        f"sentry_sdk.init(dsn={_DSN!r}, integrations=[FlaskIntegration()])",
    ),
    "ours": (
        "from flask_sentry_kit import sentry_kit",
        f"app.config['SENTRY_DSN'] = {_DSN!r}; app.register_blueprint(sentry_kit)",
    ),
}

_PROGRAM = """
import time
from flask import Flask
app = Flask("shop")
app.secret_key = "benchmark"
began = time.process_time()
{load}
loaded = time.process_time()
{switch_on}
print((loaded - began) * 1000, (time.process_time() - loaded) * 1000, flush=True)
import os
os._exit(0)
"""


def _measure(name: str) -> tuple[float, float]:
    load, switch_on = CONTENDERS[name]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(load=load, switch_on=switch_on)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    taken, setting_up = map(float, done.stdout.split())
    return taken, setting_up


def _turns(repetitions: int) -> Iterator[str]:
    for turn in range(repetitions):
        yield from CONTENDERS if turn % 2 else reversed(CONTENDERS)


def imports(short: bool = False) -> bool:
    """Importing, each time in a fresh process, in turn."""
    repetitions = 1 if short else 15
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTENDERS}
    for name in _turns(repetitions):
        taken[name].append(_measure(name))
    print(f"\nImport over Flask's, ms of processor time (median of {repetitions} processes)")
    figures = {}
    for name, pairs in taken.items():
        figures[name] = median(load for load, _ in pairs)
        switched_on = median(switch_on for _, switch_on in pairs)
        print(f"  {name:11}{figures[name]:7.1f}, and to switch it on {switched_on:7.1f}")
    reached = verdict("ours, ms", figures["ours"], IMPORT_GOAL_MS)
    return verdict("ours, × sentry-sdk", figures["ours"] / figures["sentry-sdk"], IMPORT_GOAL) and (
        reached
    )
