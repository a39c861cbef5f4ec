"""``python -m tests.attacks``: each attack against the kit, and against raven's recipe.

Prints what a healthy request waited meanwhile, what memory the server took and what the attacker
was answered. Ends with 1 where the kit misses a goal. ``python -m tests.attacks [WORD …]`` plays
the attacks with one of the words in their title.
"""

from __future__ import annotations

import argparse
import sys

from .book import DEADLINE, MEMORY, WAIT, Attack, Who
from .runner import ATTACKS, Verdict, play, play_best

Verdicts = dict[tuple[str, Who], Verdict]

SHORT = "JSON of 900 and of 100,000 levels"

HEADS = ("attack", "kit: waited", "memory", "answer", "raven: waited", "memory", "answer")


def _cells(verdict: Verdict | None) -> tuple[str, str, str]:
    if verdict is None:
        return ("-", "-", "-")
    measured = verdict.measured
    waited = f"{measured.waited:.2f} s"
    if measured.unanswered:
        waited += f", {measured.unanswered} lost"
    return (waited, f"{measured.grown:.0f} MB", verdict.answer or verdict.missed[0])


def row(attack: Attack, verdicts: Verdicts) -> tuple[str, ...]:
    kit, raven = (verdicts.get((attack.title, who)) for who in ("kit", "raven"))
    return (attack.title, *_cells(kit), *_cells(raven))


def table(rows: list[tuple[str, ...]]) -> str:
    lines = [HEADS, *rows]
    wide = [max(len(one[column]) for one in lines) for column in range(len(HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(one, wide, strict=True)).rstrip()
        for one in lines
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attacks")
    parser.add_argument("--short", action="store_true", help=f"only: {SHORT}")
    parser.add_argument("--who", choices=("kit", "raven"), help="one half alone")
    parser.add_argument("--verbose", "-v", action="store_true", help="show what servers log")
    parser.add_argument("word", nargs="*", help="only attacks with this in their title")
    arguments = parser.parse_args()
    if arguments.short:
        arguments.word.append(SHORT)
    chosen = [
        one
        for one in ATTACKS
        if not arguments.word or any(word in one.title for word in arguments.word)
    ]
    if not chosen:
        raise SystemExit(f"No attack has {' or '.join(arguments.word)} in its title.")
    verdicts: Verdicts = {}
    for attack in chosen:
        for who in attack.whose:
            if arguments.who in (None, who):
                # Raven has no goal to miss: what the first run shows is what is printed.
                verdict = (play_best if who == "kit" else play)(attack, who)
                verdicts[attack.title, who] = verdict
                _say(verdict, arguments.verbose)
    print(table([row(one, verdicts) for one in chosen]))
    missed = [one for (_, who), one in verdicts.items() if who == "kit" and one.missed]
    usual = sorted(one.measured.usual for one in verdicts.values())
    print(
        "\nWaited: seconds above the slowest healthy request before the attack, which took"
        f" {usual[len(usual) // 2]:.3f} s in the middle and {usual[-1]:.3f} s at most. Goal:"
        f" {WAIT} s, and {DEADLINE} s more where the attack holds the only worker until the kit's"
        f" deadline for a body. Memory: what the server grew by; goal: {MEMORY} MB."
        " -: raven's recipe has nothing there."
    )
    for verdict in missed:
        print(f"MISSED  {verdict.attack.title}: {'; '.join(verdict.missed)}")
    print(f"{sum(who == 'kit' for _, who in verdicts) - len(missed)} held, {len(missed)} missed")
    return 1 if missed else 0


def _say(verdict: Verdict, verbose: bool) -> None:
    measured = verdict.measured
    said = "; ".join(verdict.missed) or "holds"
    print(
        f"{verdict.seconds:5.1f} s  {verdict.attack.title} | {verdict.who}: {said}"
        f" (usual {measured.usual:.3f} s, worst {measured.worst:.3f} s, {measured.grown:.0f} MB,"
        f" {verdict.answer})",
        file=sys.stderr,
        flush=True,
    )
    if verbose and verdict.said:
        print(verdict.said, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
