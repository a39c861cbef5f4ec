"""``python -m tests.peers``: where a reader finds the visitor's words, on the servers of today.

``python -m tests.peers bugsink spotlight`` asks these alone, ``--setting WORD`` settings with this
in their title, ``--short`` two servers with one setting. ``--write`` writes the table into
docs/servers.md; ``--check`` fails where that says something else. Ends with 1 where words are
lost, or where anything was not as expected.

``python -m tests.peers --serve bugsink`` brings one server up, and says its DSN and where its
reader is; Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import threading
from contextlib import ExitStack
from dataclasses import asdict

from tests.browsers.processes import run_alone
from tests.support.sentry import JSON, RecordingSentry

from . import table
from .book import Peer, Verdict
from .names import chromium, sentry_io_is_here
from .runner import PEERS, brought_up, play, settings_for

SHORT = (["self-hosted", "inbox"], ["JavaScript off"])


def serve(name: str) -> None:
    """Bring one server up, with a reader at an address of its own, until Ctrl-C."""
    with brought_up(name) as peer:
        reader = RecordingSentry(
            answer=lambda request: (
                200,
                JSON,
                json.dumps(asdict(peer.look(request.path.strip("/") or "0" * 32))).encode(),
            )
        )
        with reader:
            print(f"{peer.title}\nDSN:    {peer.dsn}\nReader: {reader.url}/<event id>", flush=True)
            try:
                threading.Event().wait()
            except KeyboardInterrupt:
                pass


def _say(verdict: Verdict) -> None:
    faults = "".join(f"; {fault}" for fault in verdict.faults)
    said = f"the page said {verdict.notice.value or 'nothing'!r}"
    line = f"{verdict.peer} | {verdict.setting}: {verdict.end.value} ({said}){faults}"
    print(f"{verdict.seconds:5.1f} s  {line}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.peers")
    parser.add_argument("--write", action="store_true", help="write the table")
    parser.add_argument("--check", action="store_true", help="fail where the page says otherwise")
    parser.add_argument("--short", action="store_true", help=f"only {SHORT}")
    parser.add_argument(
        "--setting", action="append", default=[], help="only with this in the title"
    )
    parser.add_argument("--serve", choices=PEERS, help="bring this server up, and no browser")
    parser.add_argument("--verbose", "-v", action="store_true", help="show what the shops log")
    parser.add_argument("peer", nargs="*", help=f"only these: {', '.join(PEERS)}")
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return 0
    if arguments.short:
        arguments.peer, arguments.setting = SHORT
    unknown = [name for name in arguments.peer if name not in PEERS]
    if unknown:
        parser.error(f"there is no {unknown[0]!r}; there are {', '.join(PEERS)}")
    if arguments.write and (arguments.peer or arguments.setting):
        parser.error("--write needs the whole table: leave out --short, --setting and names")
    if not arguments.verbose:
        logging.basicConfig(handlers=[logging.NullHandler()])
    peers: list[Peer] = []
    verdicts: list[Verdict] = []
    with ExitStack() as stack:
        stack.enter_context(sentry_io_is_here())
        browser = stack.enter_context(chromium())
        for name in [one for one in PEERS if not arguments.peer or one in arguments.peer]:
            with brought_up(name) as peer:
                peers.append(peer)
                for setting in settings_for(peer, arguments.setting):
                    verdicts.append(play(setting, peer, browser))
                    _say(verdicts[-1])
    print(table.markdown(peers, verdicts))
    if arguments.write:
        table.write(table.markdown(peers, verdicts))
    stale = table.stale(peers, verdicts) if arguments.check else []
    for line in stale:
        print(f"{table.PAGE.name} is out of date (run `make peers`); it does not have", line)
    bad = [one for one in verdicts if not one.expected]
    good = sum(one.good for one in verdicts)
    print(f"{good} of {len(verdicts)} can be read, {len(bad)} not as they should")
    return 1 if bad or stale or not verdicts else 0


if __name__ == "__main__":
    run_alone(main)
