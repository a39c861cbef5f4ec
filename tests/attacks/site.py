"""What an attack runs against: a real server in a process of its own, a Sentry, a prober.

Measures while the attack runs: how long a healthy request waited, how far the server grew.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.support.beside import ENVIRONMENT

from .book import Attack, Visit, Who

ROOT = Path(__file__).parents[2]
PATIENCE = 15.0
"""Seconds that an attacker waits for an answer."""
BASELINE = 0.5
"""Seconds of healthy requests before the attack, and after it until what it left is over."""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Measured:
    """What an attack cost everybody else."""

    usual: float
    """Seconds that the slowest healthy request took before the attack."""
    worst: float
    """Seconds that the slowest one took while it ran."""
    unanswered: int
    """Healthy requests that were not answered 200."""
    grown: float
    """Megabytes at the peak, above what the server had before."""

    @property
    def waited(self) -> float:
        """Seconds that a healthy request waited because of the attack."""
        return max(0.0, self.worst - self.usual)


class Site:
    """One server, its Sentry and the one who measures, until the stack ends.

    :param attack: which server, Sentry and app it wants.
    :param who: the kit, or raven's recipe.
    """

    def __init__(self, attack: Attack, who: Who, stack: ExitStack) -> None:
        self._stack = stack
        self._before = 0.0
        self.who = who
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="attacks-")))
        self.sentry_port = self._start_sentry(attack.sentry)
        self.dsn = f"http://public:secret@127.0.0.1:{self.sentry_port}/1"
        if attack.server == "inbox":
            self._server, self.port, self.key = self._start_inbox()
            self._healthy = "/"
        else:
            self._server, self.port = self._start_shop(attack)
            self._healthy = "/healthy"
        self._wait_until_up()
        self._prober = self._start(
            "tests.attacks.prober", str(self.port), self._healthy, stdin=subprocess.PIPE
        )

    def get(self, path: str, headers: Mapping[str, str | bytes] | None = None) -> Visit:
        return self.request("GET", path, headers=headers)

    def post(self, path: str, form: Mapping[str, str], **headers: str) -> Visit:
        return self.request("POST", path, urlencode(form).encode(), {**FORM, **headers})

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str | bytes] | None = None,
    ) -> Visit:
        """One request of the attacker's, on a connection of its own."""
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            taken = time.monotonic() - began
            return Visit(answer.status, text, taken, answer.headers.get("Location", ""))
        except (http.client.HTTPException, OSError):
            return Visit(0, "", time.monotonic() - began)
        finally:
            connection.close()

    def drip(self, head: bytes, seconds: float = 4.0, every: float = 0.1) -> Visit:
        """Send the head of a request at once, and of its body a byte now and then."""
        began = time.monotonic()
        answer = b""
        try:
            with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
                connection.sendall(head)
                while time.monotonic() - began < seconds and not answer:
                    if select.select([connection], [], [], every)[0]:
                        answer = connection.recv(65536)
                        break
                    connection.sendall(b"a")
                if not answer:
                    connection.shutdown(socket.SHUT_WR)
                    answer = connection.recv(65536)
        except OSError:
            pass
        found = re.match(rb"HTTP/1\.\d (\d{3})", answer)
        status = int(found[1]) if found else 0
        return Visit(status, answer.decode("utf-8", "replace"), time.monotonic() - began)

    def at_once(self, count: int, play: Any, *, hands: int = 8) -> list[Visit]:
        """Play something many times, several at a time; ``play`` gets the number."""
        with ThreadPoolExecutor(hands) as pool:
            return list(pool.map(play, range(count)))

    def token(self) -> str:
        """Crash the app, and take the form's token from its page."""
        found = re.search(r'name="token" value="([^"]+)"', self.get("/crash").text)
        assert found is not None, "the crash page has no form"
        return found[1]

    def events(self, expected: int, seconds: float = 10.0) -> int:
        """How many events have reached Sentry, as soon as there are as many as expected."""
        deadline = time.monotonic() + seconds
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.sentry_port, timeout=5)
            connection.request("GET", "/count")
            count = int(connection.getresponse().read())
            connection.close()
            if count >= expected or time.monotonic() > deadline:
                return count
            time.sleep(0.05)

    def measure(self, play: Any) -> Measured:
        """Run an attack between two readings of the prober."""
        time.sleep(BASELINE)
        usual = self._probed()["worst"]
        self.begin()
        try:
            play()
        finally:
            time.sleep(BASELINE)
            probed = self._probed()
        grown = max(0.0, self._memory("VmHWM") - self._before)
        return Measured(usual, probed["worst"], int(probed["failed"]), grown)

    def begin(self) -> None:
        """Measure from here on: what came before was the attack's preparation."""
        self._probed()
        self._before = self._memory("VmRSS")
        for pid in self._processes():
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew: proc(5)

    def _probed(self) -> dict[str, float]:
        assert self._prober.stdin and self._prober.stdout
        self._prober.stdin.write("\n")
        self._prober.stdin.flush()
        found: dict[str, float] = json.loads(self._prober.stdout.readline())
        return found

    def _processes(self) -> list[int]:
        """The server's process and, behind gunicorn's, its workers."""
        task = Path(f"/proc/{self._server.pid}/task/{self._server.pid}/children")
        return [self._server.pid, *map(int, task.read_text().split())]

    def _memory(self, name: str) -> float:
        """Megabytes of the largest of the server's processes."""
        found = []
        for pid in self._processes():
            status = Path(f"/proc/{pid}/status").read_text()
            match = re.search(rf"{name}:\s+(\d+) kB", status)
            found.append(int(match[1]) / 1024 if match else 0.0)
        return max(found)

    def _start_shop(self, attack: Attack) -> tuple[subprocess.Popen[str], int]:
        made = {"who": self.who, "dsn": self.dsn, "options": attack.options}
        env = {"ATTACKED": json.dumps(made)}
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as bound:
            number = bound.fileno()
            if attack.server.startswith("gunicorn"):
                kind = attack.server.partition(" ")[2]
                arguments = ["gunicorn", "--bind", f"fd://{number}", "--workers", "1"]
                arguments += ["--worker-class", kind, "--threads", "4"] if kind else []
                arguments += ["--log-level", "critical", "tests.attacks.shop:application()"]
            else:
                arguments = ["tests.attacks.shop", attack.server, str(number)]
            process = self._start(*arguments, env=env, pass_fds=(number,))
            return process, bound.getsockname()[1]

    def _start_inbox(self) -> tuple[subprocess.Popen[str], int, str]:
        process = self._start(
            "flask_sentry_kit.inbox", "--port", "0", "--db", str(self.folder / "inbox.sqlite")
        )
        assert process.stdout
        said = process.stdout.readline() + process.stdout.readline()
        found = re.search(r"DSN: +http://(\w+)@127\.0\.0\.1:(\d+)/", said)
        assert found is not None, said
        return process, int(found[2]), found[1]

    def _start_sentry(self, mode: str) -> int:
        if mode == "is not there":
            with socket.create_server(("127.0.0.1", 0)) as bound:
                return int(bound.getsockname()[1])
        process = self._start("tests.attacks.sentry", mode)
        assert process.stdout
        return int(process.stdout.readline())

    def _start(
        self, *arguments: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        errors = (self.folder / f"{arguments[0]}.err").open("w")
        self._stack.callback(errors.close)
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env={**ENVIRONMENT, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # so that workers end with their server
            **options,
        )
        self._stack.callback(_end, process)
        return process

    def _wait_until_up(self) -> None:
        """Until it answers, and the first crash is over, whose first times are no attack."""
        deadline = time.monotonic() + 30
        while self.get(self._healthy).status != 200:
            assert self._server.poll() is None, f"the server did not start: {self.said()}"
            assert time.monotonic() < deadline, f"the server does not answer: {self.said()}"
            time.sleep(0.05)
        if self._healthy == "/healthy":
            self.get("/crash")

    def said(self) -> str:
        """What the processes wrote to stderr, for the one who looks for the cause."""
        return "\n".join(
            one.read_text("utf-8", "replace")[-4000:] for one in self.folder.glob("*.err")
        )


def _end(process: subprocess.Popen[str]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                pass
