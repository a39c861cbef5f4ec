"""Makes a healthy request again and again, and prints what the longest one waited.

A process of its own: the attack, which runs in another, takes nothing from its clock. A line on
stdin is answered with one line of JSON about what was seen since the line before.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

PAUSE = 0.01
PATIENCE = 20.0
"""Seconds after which a request counts as not answered."""


def ask(port: int, path: str) -> tuple[float, bool]:
    """One request on a connection of its own: its seconds, and whether it was answered 200."""
    began = time.monotonic()
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
            asked = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
            connection.sendall(asked.encode())
            while piece := connection.recv(65536):
                answer = answer or piece
                connection.settimeout(max(0.01, began + PATIENCE - time.monotonic()))
    except OSError:
        answer = b""
    return time.monotonic() - began, answer.split(b" ", 2)[1:2] == [b"200"]


def main() -> None:
    port, path = int(sys.argv[1]), sys.argv[2]
    waits: list[float] = []
    failed = 0
    while True:
        ready, _, _ = select.select([sys.stdin], [], [], PAUSE)
        if ready:
            if not sys.stdin.readline():
                return
            print(json.dumps({"worst": max(waits, default=0.0), "failed": failed}), flush=True)
            waits, failed = [], 0
        seconds, answered = ask(port, path)
        waits.append(seconds)
        failed += not answered


if __name__ == "__main__":
    main()
