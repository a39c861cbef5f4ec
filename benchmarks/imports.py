"""What importing a reporter costs a process that has Flask, and what switching it on costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from statistics import median

from .verdict import verdict

IMPORT_GOAL_MS = 20.0
IMPORT_GOAL = 0.6  # × sentry-sdk's Flask integration

SDK_GOAL = 1.0  # × ours, of what the kit on sentry-sdk adds to it: raven is left out

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
        # Else raven is loaded at the first request, since sentry-sdk is installed too.
        f"app.config.update(SENTRY_DSN={_DSN!r}, SENTRY_KIT_REPORTER='raven');"
        " app.register_blueprint(sentry_kit)",
    ),
}

CONTENDERS["sentry-sdk, kit"] = (
    f"{CONTENDERS['sentry-sdk'][0]}; {CONTENDERS['ours'][0]}",
    f"{CONTENDERS['sentry-sdk'][1]}; app.register_blueprint(sentry_kit)",
)

_PROGRAM = """
import time
from flask import Flask
app = Flask("shop")
app.secret_key = "benchmark"
began = time.process_time()
{load}
loaded = time.process_time()
{switch_on}
switched_on = time.process_time()
import sys
ravens = sum(name.partition(".")[0] == "raven" for name in sys.modules)
print((loaded - began) * 1000, (switched_on - loaded) * 1000, ravens, flush=True)
import os
os._exit(0)
"""


def _measure(name: str) -> tuple[float, float, int]:
    load, switch_on = CONTENDERS[name]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(load=load, switch_on=switch_on)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    taken, setting_up, ravens = done.stdout.split()
    return float(taken), float(setting_up), int(ravens)


def _turns(repetitions: int) -> Iterator[str]:
    for turn in range(repetitions):
        yield from CONTENDERS if turn % 2 else reversed(CONTENDERS)


def imports(short: bool = False) -> bool:
    """Importing, each time in a fresh process, in turn."""
    repetitions = 1 if short else 15
    taken: dict[str, list[tuple[float, float, int]]] = {name: [] for name in CONTENDERS}
    for name in _turns(repetitions):
        taken[name].append(_measure(name))
    print(f"\nImport over Flask's, ms of processor time (median of {repetitions} processes)")
    loading, ready = {}, {}
    for name, figures in taken.items():
        loading[name] = median(load for load, _, _ in figures)
        ready[name] = median(load + switch_on for load, switch_on, _ in figures)
        switched_on = median(switch_on for _, switch_on, _ in figures)
        print(f"  {name:17}{loading[name]:7.1f}, and to switch it on {switched_on:7.1f}")
    on_sdk = "sentry-sdk, kit"
    ravens = max(count for _, _, count in taken[on_sdk])
    return all(
        [
            verdict("ours, ms", loading["ours"], IMPORT_GOAL_MS),
            verdict("ours, × sentry-sdk", loading["ours"] / loading["sentry-sdk"], IMPORT_GOAL),
            verdict(
                "what the kit on sentry-sdk adds to it, switched on, × ours",
                (ready[on_sdk] - ready["sentry-sdk"]) / ready["ours"],
                SDK_GOAL,
            ),
            verdict("modules of raven that the kit on sentry-sdk imports", ravens, 0),
        ]
    )
