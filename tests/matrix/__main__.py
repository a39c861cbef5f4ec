"""``python -m tests.matrix``: in which settings the visitor's words arrive, with raven's recipe,
sentry-sdk's, and the kit on either. ``--readme`` writes the table into README.md; ``--check`` fails
where README.md says something else; ``--short`` plays one setting alone."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from dataclasses import asdict

from .book import WORDS_ALONE, Setting, Verdicts
from .runner import SETTINGS, missing_scripts, play_apart, play_here
from .shop import ON_SDK, OURS, RECIPES, ROOT, Who

BEGIN, END = "<!-- matrix: made by `make matrix` -->", "<!-- end of matrix -->"
COLUMNS: dict[str, tuple[Who, ...]] = {
    "raven's recipe": ("raven",),
    "sentry-sdk's recipe": ("sentry-sdk",),
    "the kit on raven": OURS,
    "the kit on sentry-sdk": tuple(who for who in ON_SDK if who not in RECIPES),
}
"""Each with those whose shops it shows."""
Row = tuple[str, ...]
HEADS: Row = ("setting", *COLUMNS)
SHORT = ("keyboard only",)


def _cell(verdicts: Verdicts, setting: Setting, whose: tuple[Who, ...]) -> str:
    found = [verdicts[setting.title, who] for who in whose if (setting.title, who) in verdicts]
    lost = [one for one in found if not one.road]
    if lost:
        return lost[0].text if lost[0].text == WORDS_ALONE else f"lost: {lost[0].text}"
    roads = dict.fromkeys(one.road for one in found)
    return f"arrives ({', '.join(roads)})" if found else "not played"


def rows(verdicts: Verdicts) -> list[Row]:
    """The table, without its head."""
    return [
        (setting.title, *(_cell(verdicts, setting, whose) for whose in COLUMNS.values()))
        for setting in SETTINGS
        if any(title == setting.title for title, _ in verdicts)
    ]


def totals(table: list[Row]) -> Row:
    def count(column: int) -> str:
        return f"{sum(row[column].startswith('arrives') for row in table)} of {len(table)}"

    return ("words arrive in", *map(count, range(1, len(HEADS))))


def _line(cells: Row) -> str:
    return f"| {' | '.join(cells)} |"


def markdown(table: list[Row]) -> str:
    head = [_line(HEADS), "|---" * len(HEADS) + "|"]
    last = tuple(f"**{cell}**" for cell in totals(table))
    return "\n".join([*head, *map(_line, table), _line(last)]) + "\n"


def plain(table: list[Row]) -> str:
    lines = [HEADS, *table, totals(table)]
    wide = [max(len(row[column]) for row in lines) for column in range(len(HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)).rstrip()
        for row in lines
    )


def write_readme(table: list[Row]) -> None:
    readme = ROOT / "README.md"
    before, begin, rest = readme.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"README.md has no place for the table: {BEGIN} … {END}")
    text = f"{before}{BEGIN}\n\n{markdown(table)}\n{END}{after}"
    if readme.read_text("utf-8") != text:
        readme.write_text(text, "utf-8")
        print("wrote README.md")


def stale_rows(table: list[Row]) -> list[str]:
    """The rows that README.md's table does not have as they were played."""
    readme = (ROOT / "README.md").read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    return [line for line in map(_line, table) if line not in readme.splitlines()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    parser.add_argument(
        "--check", action="store_true", help="fail where README.md has another table"
    )
    parser.add_argument("--short", action="store_true", help=f"only: {', '.join(SHORT)}")
    parser.add_argument("--who", choices=list(COLUMNS), help="one column alone")
    parser.add_argument(
        "--json", action="store_true", help="one verdict a line, for the tests; words are WHO:TITLE"
    )
    parser.add_argument("--verbose", "-v", action="store_true", help="show what the shops log")
    parser.add_argument("word", nargs="*", help="only settings with this in their title")
    arguments = parser.parse_args()
    if arguments.short:
        arguments.word += SHORT
    if arguments.readme and (arguments.word or arguments.who):
        parser.error("--readme needs the whole table: leave out --short, --who and words")
    if arguments.check and arguments.who:
        parser.error("--check needs all columns: leave out --who")
    if missing_scripts():
        raise SystemExit(missing_scripts())
    if not arguments.verbose:
        logging.basicConfig(handlers=[logging.NullHandler()])
    if arguments.json:
        for verdict in play_here(arguments.word):
            print(json.dumps(asdict(verdict)), flush=True)
        return 0
    chosen = [
        setting
        for setting in SETTINGS
        if not arguments.word or any(word in setting.title for word in arguments.word)
    ]
    verdicts: Verdicts = {}
    for column, whose in COLUMNS.items():
        if arguments.who not in (None, column):
            continue
        cases = [(setting, who) for setting in chosen for who in setting.whose if who in whose]
        for verdict in play_apart(cases, words=["--verbose"] if arguments.verbose else []):
            verdicts[verdict.title, verdict.who] = verdict
            said = verdict.road or f"LOST: {verdict.text}"
            line = f"{verdict.seconds:5.1f} s  {verdict.title} | {verdict.who}: {said}"
            print(line, file=sys.stderr, flush=True)
    table = rows(verdicts)
    print(markdown(table))
    print(plain(table))
    if arguments.readme:
        write_readme(table)
    stale = stale_rows(table) if arguments.check else []
    for line in stale:
        print("README.md is out of date (run `make matrix`); it does not have", line)
    ends = {key: verdict.road or verdict.text for key, verdict in verdicts.items()}
    good = not stale and all(
        ends.get((setting.title, who), "") in ("", setting.expected(who))
        for setting in chosen
        for who in setting.whose
        if who not in RECIPES
    )
    return 0 if good else 1


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # Without the interpreter's farewell: raven would wait 10 s for queues that lead nowhere.
    os._exit(status)
