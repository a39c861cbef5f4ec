"""``python -m flask_sentry_kit.inbox``: starts an inbox, and prints its address and DSN."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import Final, NoReturn

from .app import create_inbox
from .errors import InboxError
from .protocol.drills import KINDS
from .server.inbox_server import InboxServer, load_server
from .storage.store import KEEP_EVENTS

DEFAULT_PORT: Final = 9000
"""Sentry's own."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run until interrupted. Returns the exit status: 0, or 1 with one line on stderr."""
    options = _parser().parse_args(argv)
    try:
        load_server()  # before there is a file
        app = create_inbox(
            options.db,
            projects=options.project,
            public_key=options.key,
            allowed_origins=options.allow_origin or ("*",),
            events_per_minute=options.events_per_minute,
            keep_events=options.keep,
            hosts=[*options.allow_host, options.host],
            drills=options.drill,
            drill_seed=options.drill_seed,
        )
        server = InboxServer(
            app, options.host, options.port, open_to_network=options.open_to_network
        )
    except InboxError as error:
        print(f"inbox: {error}", file=sys.stderr)
        return 1
    _allow_files()
    print(f"Inbox:  {server.url}/")
    print(f"DSN:    {server.dsn}", flush=True)
    signal.signal(signal.SIGTERM, _terminate)
    # By default Python switches threads every 5 ms. A page may need many turns while a large event
    # is read.
    sys.setswitchinterval(0.0005)
    server.run()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m flask_sentry_kit.inbox",
        description="A Sentry of your own for one machine: takes events and visitors' words,"
        " and shows them. It has no login; keep it on loopback.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add(
        "--port",
        type=_port,
        default=DEFAULT_PORT,
        help="port to listen on; 0 takes a free one (%(default)s)",
    )
    add("--db", default="inbox.sqlite", metavar="PATH", help="where to keep it (%(default)s)")
    add(
        "--project",
        action="append",
        default=[],
        metavar="ID[:KEY]",
        help="take events of this project only; may be repeated, the first is in the DSN (any)",
    )
    add(
        "--key",
        help="the public key of projects without one, and of project 1 alone if none is given (made"
        " once and kept in the file)",
    )
    add(
        "--keep",
        type=_positive,
        default=KEEP_EVENTS,
        metavar="N",
        help="keep the newest N events, and as many reports of visitors' (%(default)s)",
    )
    add(
        "--events-per-minute",
        type=_positive,
        metavar="N",
        help="answer 429 to further events (no limit)",
    )
    add(
        "--drill",
        action="append",
        default=[],
        metavar="KIND[:PROBABILITY]",
        help=f"let requests of clients fail: {', '.join(KINDS)}; may be repeated (none)",
    )
    add("--drill-seed", type=int, metavar="N", help="let the same requests fail each time (others)")
    add(
        "--allow-origin",
        action="append",
        metavar="ORIGIN",
        help="take events and words from pages of this origin only; may be repeated (any)",
    )
    add(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name under which the pages may be read; may be repeated",
    )
    add(
        "--open-to-network",
        action="store_true",
        help="allow a --host that other machines can reach: everyone who can reach it can read it",
    )
    return parser


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port: it takes a number from 0 to 65535")


def _positive(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 10**9:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")


def _allow_files() -> None:
    """Let this process have the files that its connections may take: some systems allow 256."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 4_096 if hard == resource.RLIM_INFINITY else min(4_096, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            with suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    # waitress ends its loop on SystemExit, so what is being answered is answered.
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
