"""``python -m benchmarks [imports|healthy|crash|storm|outage|inbox …]``: measures against goals.

``--short`` makes a few calls of each, to show that it works, and gives no verdict.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import sys

from .imports import imports
from .inbox import inbox
from .outage import outage
from .race import ENVIRONMENT, crash, healthy
from .storm import storm

BENCHMARKS = {
    "imports": imports,
    "healthy": healthy,
    "crash": crash,
    "storm": storm,
    "outage": outage,
    "inbox": inbox,
}


def _name(text: str) -> str:
    if text not in BENCHMARKS:
        raise argparse.ArgumentTypeError(
            f"there is no benchmark {text!r}; there are {', '.join(BENCHMARKS)}"
        )
    return text


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    # Not `choices`: argparse would compare the default, a list, with them too.
    parser.add_argument("name", nargs="*", type=_name, help="default: all of them")
    parser.add_argument("--short", action="store_true", help="a few calls, no judgement")
    arguments = parser.parse_args()
    if importlib.util.find_spec("sentry_sdk") is None:
        parser.error("sentry-sdk is missing: python -m pip install --group dev")
    print(f"Python {platform.python_version()}; {ENVIRONMENT}")
    print(f"Load of this machine before it began: {os.getloadavg()[0]:.1f} ({os.cpu_count()} CPUs)")
    names = arguments.name or list(BENCHMARKS)
    reached = [BENCHMARKS[name](short=arguments.short) for name in dict.fromkeys(names)]
    if arguments.short:
        print("\nThis was the short form: too few calls to judge by.")
    return 0 if all(reached) or arguments.short else 1


if __name__ == "__main__":
    sys.exit(main())
