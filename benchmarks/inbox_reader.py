"""A developer who reads in the inbox, in a process of its own.

``python -m benchmarks.inbox_reader <address>`` reads commands from standard input: ``read <seconds>
<path> …`` opens the paths in turn, ten a second, each again and again, and is answered with one
line of JSON: the milliseconds of each path's answers.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from itertools import cycle
from urllib.parse import urlsplit

PAUSE = 0.1
"""Seconds from one request to the next."""


def read(address: str, seconds: float, paths: list[str]) -> dict[str, list[float]]:
    """Milliseconds from the request to the last byte of its answer, by path.

    :raises RuntimeError: an answer other than 200.
    """
    taken: dict[str, list[float]] = {path: [] for path in paths}
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    ends = time.perf_counter() + seconds
    for path in cycle(paths):
        began = time.perf_counter()
        if began >= ends and all(taken.values()):
            return taken
        connection.request("GET", path, headers={"Accept": "text/html,*/*;q=0.8"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} was answered {answer.status}")
        taken[path].append((time.perf_counter() - began) * 1000)
        time.sleep(max(0.0, began + PAUSE - time.perf_counter()))
    raise AssertionError


def main() -> None:
    address = sys.argv[1]
    print("ready", flush=True)
    for line in sys.stdin:
        _, seconds, *paths = line.split()
        print(json.dumps(read(address, float(seconds), paths)), flush=True)


if __name__ == "__main__":
    main()
