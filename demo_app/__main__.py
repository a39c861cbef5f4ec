"""Runs the shop and an inbox beside it, both on this machine alone, until Ctrl-C.

The inbox's file is deleted at the end.
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from flask import Flask
from waitress.server import create_server
from waitress.wasyncore import close_all

from flask_sentry_kit.inbox import InboxError, InboxServer, create_inbox

from . import create_app

HOST = "127.0.0.1"


def main(argv: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C or SIGTERM. Returns the exit status: 1 if a port is taken."""
    options = _parser().parse_args(argv)
    try:
        door = socket.create_server((HOST, options.port))
    except OSError as error:
        return _no_port("shop", "PORT", options.port, error.strerror)
    with closing(door), tempfile.TemporaryDirectory(prefix="sentry-kit-demo-") as folder:
        try:
            inbox = InboxServer(
                create_inbox(Path(folder, "inbox.sqlite")), HOST, options.inbox_port
            )
        except InboxError as error:
            return _no_port("inbox", "INBOX_PORT", options.inbox_port, str(error))
        shop = create_app(dsn=inbox.dsn, inbox_url=f"{inbox.url}/")
        signal.signal(signal.SIGTERM, _terminate)
        reading = threading.Thread(target=inbox.run, name="inbox")
        reading.start()
        try:
            shop_url = f"http://{HOST}:{door.getsockname()[1]}/"
            print(f"Open first: {shop_url}break  (five ways to break the shop)")
            print(f"Shop:       {shop_url}")
            print(f"Inbox:      {inbox.url}/")
            print(f"DSN:        {inbox.dsn}  (for an app of your own)")
            print("Ctrl-C stops both.", flush=True)
            _run(shop, door)
        except KeyboardInterrupt:
            pass  # Before the shop's own loop, which ends on Ctrl-C without help.
        finally:
            # The shop stops first, so that the inbox still takes its last reports.
            shop.extensions["sentry_kit"].outbox.close()
            inbox.stop()
            reading.join()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo_app", description="A shop to break, and an inbox to read about it."
    )
    add = parser.add_argument
    add("--port", type=_port, default=8000, help="the shop's; 0 takes a free one (%(default)s)")
    add("--inbox-port", type=_port, default=9000, help="the inbox's, likewise (%(default)s)")
    return parser


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port: it takes a number from 0 to 65535")


def _no_port(whose: str, variable: str, port: int, why: str | None) -> int:
    print(f"The {whose} cannot have port {port}: {why}", file=sys.stderr)
    print(f"Choose another: make demo {variable}=…, or 0 for a free one.", file=sys.stderr)
    return 1


def _run(app: Flask, door: socket.socket) -> None:
    # types-waitress takes each keyword for a whole dict of them.
    connections: dict[int, Any] = {}
    keywords: Any = {"sockets": [door], "threads": 8, "ident": None}
    try:
        # Ctrl-C and SystemExit end the loop, after the requests that are being answered.
        create_server(app, connections, **keywords).run()
    finally:
        close_all(connections)  # also where Ctrl-C comes before the loop


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
