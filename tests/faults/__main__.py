"""``python -m tests.faults``: the table of raven's faults, shown with raven and mended with ours.

``python -m tests.faults [--json] [--short] [ROW …]``; a row may be ``E1`` or ``E1a``, or
``raven:E1a``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from dataclasses import asdict

from . import nocertifi as _nocertifi  # noqa: F401  # before raven is imported
from .book import SCENARIOS, Scenario
from .runner import WHO, Verdict, cases, run


def _wanted(names: list[str]) -> list[tuple[Scenario, str]]:
    found = [case for case in cases() if not names or any(_names(name, case) for name in names)]
    if not found:
        raise SystemExit(f"No such row: {' '.join(names)}")
    return found


def _names(name: str, case: tuple[Scenario, str]) -> bool:
    who, _, row = name.rpartition(":")
    scenario, whose = case
    return who in ("", whose) and row in (scenario.row, _number(scenario.row))


def _number(row: str) -> str:
    found = re.match(r"[A-Z]\d+", row)
    return found[0] if found else row


def _table(verdicts: dict[tuple[str, str], Verdict]) -> bool:
    words = {"fault": "shown", "holds": "not shown"}
    good = True
    played = [one for one in SCENARIOS if any((one.row, who) in verdicts for who in WHO)]
    rows = sorted(played, key=lambda one: one.place)
    wide = max(len(one.fault) for one in rows)
    print(f"{'row':5} {'fault':{wide}}  {'raven':9}  ours")
    for one in rows:
        raven, ours = (verdicts.get((one.row, who)) for who in WHO)
        theirs = words.get(raven.outcome, "BROKEN") if raven else "-"
        mine = ("ok" if ours.outcome == "holds" else "FAILS") if ours else "-"
        good &= theirs in ("shown", "-") and mine in ("ok", "-")
        print(f"{one.row:5} {one.fault:{wide}}  {theirs:9}  {mine}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--json", action="store_true", help="one verdict a line, for the tests")
    parser.add_argument("--verbose", "-v", action="store_true", help="say what was seen")
    parser.add_argument("--short", action="store_true", help="the first row of each group alone")
    # Many scenarios wait for something rather than work.
    parser.add_argument("--jobs", type=int, default=(os.cpu_count() or 1) + 2)
    parser.add_argument("row", nargs="*")
    arguments = parser.parse_args()
    if arguments.short:
        arguments.row += [f"{group}1" for group in "PEVA"]
    verdicts: dict[tuple[str, str], Verdict] = {}
    for verdict in run(_wanted(arguments.row), arguments.jobs):
        verdicts[verdict.row, verdict.who] = verdict
        if arguments.json:
            print(json.dumps(asdict(verdict)), flush=True)
    if arguments.json:
        return 0
    good = _table(verdicts)
    expected = {"raven": "fault", "ours": "holds"}
    for verdict in verdicts.values():
        if arguments.verbose or verdict.outcome != expected[verdict.who]:
            print(f"\n{verdict.row} {verdict.who} {verdict.outcome} ({verdict.seconds:.1f} s)")
            print(verdict.text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
