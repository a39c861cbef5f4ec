"""``python -m tests.faults``: the table of raven's faults, shown with raven, as far as they go with
sentry-sdk, and mended with the kit.

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

from .nocertifi import hide

hide()

from .book import SCENARIOS, Scenario  # noqa: E402  # raven is imported here
from .expected import NOT_ASKED, expected  # noqa: E402
from .runner import WHO, Verdicts, cases, run  # noqa: E402


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


WORDS = {
    # The reporters alone, then with the kit.
    False: {"fault": "shown", "holds": "not shown"},
    True: {"fault": "FAILS", "holds": "ok"},
}


def _cell(verdicts: Verdicts, scenario: Scenario, who: str) -> str:
    """``-`` where the row was not asked of the column."""
    verdict = verdicts.get((scenario.row, who))
    return WORDS["kit" in who].get(verdict.outcome, "BROKEN") if verdict else "-"


def _table(verdicts: Verdicts) -> None:
    played = [one for one in SCENARIOS if any((one.row, who) in verdicts for who in WHO)]
    rows = sorted(played, key=lambda one: one.place)
    wide = max(len(one.fault) for one in rows)
    print(f"{'row':5} {'fault':{wide}}  {'  '.join(f'{who:10}' for who in WHO)}".rstrip())
    for one in rows:
        cells = "  ".join(f"{_cell(verdicts, one, who):10}" for who in WHO)
        print(f"{one.row:5} {one.fault:{wide}}  {cells}".rstrip())
    # One line for each reason; of a column whose rows were all asked there is none.
    for who, reasons in NOT_ASKED.items():
        unasked = [one.row for one in rows if one.row in reasons]
        for reason in dict.fromkeys(reasons[row] for row in unasked):
            left_out = [row for row in unasked if reasons[row] == reason]
            print(f"{who} is not asked {', '.join(left_out)}: {reason}.")


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
    verdicts: Verdicts = {}
    for verdict in run(_wanted(arguments.row), arguments.jobs):
        verdicts[verdict.row, verdict.who] = verdict
        if arguments.json:
            print(json.dumps(asdict(verdict)), flush=True)
    if arguments.json:
        return 0
    _table(verdicts)
    awaited = {(one.row, who): expected(one, who) for one, who in cases()}
    unawaited = [one for key, one in verdicts.items() if one.outcome != awaited[key]]
    for verdict in verdicts.values():
        if arguments.verbose or verdict in unawaited:
            print(f"\n{verdict.row} {verdict.who} {verdict.outcome} ({verdict.seconds:.1f} s)")
            print(verdict.text)
    return 1 if unawaited else 0


if __name__ == "__main__":
    sys.exit(main())
