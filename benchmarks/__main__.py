"""``python -m benchmarks healthy|crash|storm|outage|all``: measures, and says if goals are met."""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import sys

from .outage import outage
from .race import ENVIRONMENT, crash, healthy
from .storm import storm

BENCHMARKS = {"healthy": healthy, "crash": crash, "storm": storm, "outage": outage}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("name", nargs="*", choices=[*BENCHMARKS, "all"], default=["all"])
    names = parser.parse_args().name
    if importlib.util.find_spec("sentry_sdk") is None:
        parser.error("sentry-sdk is missing: python -m pip install --group bench")
    print(f"Python {platform.python_version()}; {ENVIRONMENT}")
    print(f"Load of this machine before it began: {os.getloadavg()[0]:.1f} ({os.cpu_count()} CPUs)")
    chosen = [run for name, run in BENCHMARKS.items() if name in names or "all" in names]
    reached = [run() for run in chosen]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
