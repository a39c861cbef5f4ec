"""``python -m tests.leaks``: planted secrets that came out, the kit beside raven and sentry-sdk.

``python -m tests.leaks [--verbose] [WHO …]``; WHO is kit, raven, sentry-sdk or
sentry-sdk-scrubbed, which is sentry-sdk with the kit's scrubber over its events.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from .corpus import CLASSES
from .runner import Result, run

REPORTERS = ("kit", "raven", "sentry-sdk", "sentry-sdk-scrubbed")
_LABELS = {
    "name": "secrets that their name gives away",
    "looks": "secrets that their looks give away",
    "odd": "secrets with odd names",
    "harmless name": "harmless names, masked",
    "harmless number": "harmless numbers, masked",
}


def _table(results: list[Result]) -> None:
    print(f"{'leaked':36} {'planted':>8}" + "".join(f"{one.who:>21}" for one in results))
    for kind in CLASSES:
        counts = "".join(f"{len(one.wrong(kind)):>21}" for one in results)
        print(f"{_LABELS[kind]:36} {results[0].total[kind]:>8}{counts}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.leaks")
    parser.add_argument("--verbose", "-v", action="store_true", help="name what went wrong")
    parser.add_argument(
        "--share", type=int, default=1, metavar="N", help="one in N, for a short run"
    )
    parser.add_argument("who", nargs="*", default=list(REPORTERS), metavar="WHO")
    arguments = parser.parse_args()
    unknown = set(arguments.who) - set(REPORTERS)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(REPORTERS)}")
    results = [run(who, arguments.share) for who in arguments.who]
    _table(results)
    for one in results if arguments.verbose else ():
        for kind in CLASSES:
            for planted in one.wrong(kind):
                print(f"{one.who}: {kind}: {planted.name} in {planted.place}: {planted.value}")
        places = Counter(planted.place for kind in CLASSES[:3] for planted in one.out[kind])
        print(f"{one.who}: {dict(places.most_common())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
