"""The inbox's command: its options, where its file is, and what it prints at the start.

``python -m flask_sentry_kit.inbox`` and ``flask sentry-kit inbox`` are the same command.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from .app import create_inbox
from .errors import InboxError
from .pages.editor import EDITORS
from .password import Password, read_password
from .project import Project
from .protocol.drills import KINDS
from .server.inbox_server import InboxServer, load_server
from .storage.store import KEEP_BYTES, KEEP_EVENTS

DEFAULT_PORT: Final = 9000
"""Sentry's own."""


_MODULE: Final = "python -m flask_sentry_kit.inbox"

_M_ARENA_MAX: Final = -8  # in glibc's malloc.h

_UNITS: Final = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def main(argv: Sequence[str] | None = None, prog: str = _MODULE) -> int:
    """Run until interrupted. Returns the exit status: 0, or 1 with one line on stderr.

    :param prog: how the command was called, for its help.
    """
    options = _parser(prog).parse_args(argv)
    _share_one_heap()
    try:
        load_server()  # before there is a file
        password = None if options.password_file is None else read_password(options.password_file)
        path = default_path() if options.db is None else Path(options.db).absolute()
        app = create_inbox(
            path,
            projects=options.project,
            public_key=options.key,
            allowed_origins=options.allow_origin or ("*",),
            events_per_minute=options.events_per_minute,
            keep_events=options.keep,
            keep_bytes=options.keep_bytes,
            hosts=[*options.allow_host, options.host],
            password=password,
            editor=options.editor,
            source_roots=options.source_root,
            forward_to=options.forward_to,
            drills=options.drill,
            drill_seed=options.drill_seed,
        )
        server = InboxServer(app, options.host, options.port)
    except InboxError as error:
        print(f"inbox: {error}", file=sys.stderr)
        return 1
    _allow_files()
    project: Project = app.extensions["sentry_kit_inbox"]
    crashes = project.store.counts().crashes
    print(f"Inbox:  {server.url}/")
    print(f"DSN:    {server.dsn}")
    print(f"File:   {path}")
    print(
        f"Kept:   {crashes:,} crash{'' if crashes == 1 else 'es'}; of all events the newest"
        f" {options.keep:,}, up to {_size(options.keep_bytes)}"
    )
    print(f"Access: {_access(server, password)}", flush=True)
    signal.signal(signal.SIGTERM, _terminate)
    # By default Python switches threads every 5 ms. A page may need many turns while a large event
    # is read.
    sys.setswitchinterval(0.0005)
    server.run()
    return 0


def default_path() -> Path:
    """The user's own inbox, in the data folder of the platform. The folder is made.

    :raises InboxError: there is no home, or the folder cannot be made.
    """
    try:
        from platformdirs import user_data_dir
    except ModuleNotFoundError:
        raise InboxError(
            "The place of the inbox's file is found with platformdirs, which is not installed."
            " Name a file with --db, or install it with: pip install 'flask-sentry-kit[inbox]'"
        ) from None
    folder = Path(user_data_dir("flask-sentry-kit", appauthor=False))
    if not folder.is_absolute():
        raise InboxError(f"The user's data folder is {folder}, no full path: name a file with --db")
    try:
        # With its events, visitors and their words it is for nobody else, whatever the umask says.
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise InboxError(
            f"Cannot make the folder {folder}: {error.strerror}. Name a file with --db."
        ) from None
    return folder / "inbox.sqlite"


def _access(server: InboxServer, password: Password | None) -> str:
    if password is None:
        return "from this machine only, without a password"
    if server.is_loopback:
        return "from this machine only, with the password"
    return (
        "from the network, with the password; it can be read on its way, so put TLS in front of"
        " the inbox"
    )


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="A Sentry of your own for one machine: takes events and visitors' words,"
        " and shows them.",
    )
    add = parser.add_argument
    add(
        "--host",
        default="127.0.0.1",
        help="address to listen on; one that other machines reach needs --password-file"
        " (%(default)s)",
    )
    add(
        "--port",
        type=_port,
        default=DEFAULT_PORT,
        help="port to listen on; 0 takes a free one (%(default)s)",
    )
    add(
        "--password-file",
        metavar="FILE",
        help="ask for the password that is the only line of this file, which only you may read;"
        " clients send with the DSN alone",
    )
    add(
        "--allow-host",
        action="append",
        type=_host_name,
        default=[],
        metavar="NAME",
        help="a further name under which the pages may be read; may be repeated",
    )
    add("--db", metavar="FILE", help="where to keep it (inbox.sqlite in the user's data folder)")
    add(
        "--keep",
        type=_positive,
        default=KEEP_EVENTS,
        metavar="N",
        help="keep the newest N events, and as many reports of visitors' (%(default)s)",
    )
    add(
        "--keep-bytes",
        type=_bytes,
        default=KEEP_BYTES,
        metavar="SIZE",
        help="keep events of SIZE bytes at most, compressed; 300M and 4G are understood"
        f" ({_size(KEEP_BYTES)})",
    )
    add(
        "--project",
        action="append",
        default=[],
        metavar="ID[:KEY]",
        help="take events of this project only; may be repeated, the first is in the DSN (any;"
        " with a password 1)",
    )
    add(
        "--key",
        help="the public key of projects without one, and of project 1 alone if none is given (made"
        " once and kept in the file)",
    )
    add(
        "--events-per-minute",
        type=_positive,
        metavar="N",
        help="answer 429 to further events (no limit)",
    )
    add(
        "--allow-origin",
        action="append",
        metavar="ORIGIN",
        help="take events and words from pages of this origin only; may be repeated (any)",
    )
    add(
        "--editor",
        metavar="EDITOR",
        help=f"link the files of a stack to open at their line in {', '.join(EDITORS)}, or by an"
        " address such as 'myeditor://open?file={path}&line={line}'",
    )
    add(
        "--source-root",
        action="append",
        default=[],
        metavar="FROM=TO",
        help="with --editor: an event's folder, as in a container, and the same one here, such as"
        " /app=/home/ann/shop; may be repeated",
    )
    add(
        "--forward-to",
        metavar="DSN",
        help="let a crash's page send its event on to this DSN, by a button",
    )
    add(
        "--drill",
        action="append",
        default=[],
        metavar="KIND[:PROBABILITY]",
        help=f"let requests of clients fail: {', '.join(KINDS)}; may be repeated (none)",
    )
    add("--drill-seed", type=int, metavar="N", help="let the same requests fail each time (others)")
    return parser


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port: it takes a number from 0 to 65535")


def _positive(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 10**9:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")


def _bytes(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,9})([KMGT]?)(?:i?B)?", text, re.IGNORECASE | re.ASCII)
    size = int(found[1]) * _UNITS[found[2].upper()] if found else 0
    if not 0 < size < 2**60:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size: it takes bytes, such as 1000000, or 500K, 256M, 4G, 1T"
        )
    return size


def _size(count: int) -> str:
    """Bytes as `_bytes` reads them."""
    unit = max((unit for unit in _UNITS if count % _UNITS[unit] == 0), key=_UNITS.__getitem__)
    return f"{count // _UNITS[unit]}{unit}"


def _host_name(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?", text):
        return text
    raise argparse.ArgumentTypeError(
        f"{text!r} is no name: it takes inbox.example, without a scheme, port or path"
    )


def _share_one_heap() -> None:
    """Have all threads take memory from one heap, before there are any.

    glibc gives them up to eight for each processor, and keeps in each what the largest event took:
    measured, 111 MB in place of 57 after a thousand large ones were read. Others than glibc have no
    such setting.
    """
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


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
