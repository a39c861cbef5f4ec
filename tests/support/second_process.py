"""Runs part of the suite in a second pytest, while the first runs the rest.

These are tests that mostly wait for a browser, a worker process or a timer: those that use
``chromium``, and the room ``outbox``. Where a session has other tests too, they run one after
another under the same limits in the other process, and are reported as if they had run here. With
``--pdb``, ``--trace`` or ``-s`` they do run here, where a developer can look on.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from tempfile import TemporaryFile
from typing import IO, Any

import pytest

from tests.support.beside import ENVIRONMENT
from tests.support.order import mostly_waits

Reports = dict[str, pytest.TestReport]
"""What is reported of one test, by phase: setup, call, teardown."""


class SecondProcess:
    """The second pytest, and what it has reported so far."""

    def __init__(self, config: pytest.Config, names: list[str]) -> None:
        self._config = config
        self._reports: dict[str, Reports] = {name: {} for name in names}
        self._changed = threading.Condition()
        self._ended = False
        self._output: IO[bytes] = TemporaryFile()
        read, write = os.pipe()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pytest"),
                *_options(config, write),
                *(f"{config.rootpath}/{name}" for name in names),
            ],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            pass_fds=[write],
        )
        os.close(write)
        self._thread = threading.Thread(target=self._read, args=(read,), name="second process")
        self._thread.start()

    def _read(self, descriptor: int) -> None:
        try:
            with open(descriptor, "rb") as pipe, suppress(EOFError, pickle.UnpicklingError):
                while True:
                    report = self._config.hook.pytest_report_from_serializable(
                        config=self._config, data=pickle.load(pipe)
                    )
                    with self._changed:
                        self._reports[report.nodeid][report.when] = report
                        self._changed.notify_all()
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def reports(self, name: str) -> Reports:
        """What is reported of a test, once it is over; less, where the process ended before."""
        found = self._reports[name]
        with self._changed:
            self._changed.wait_for(lambda: "teardown" in found or self._ended)
        return found

    def last_words(self) -> str:
        """How it ended, and what it printed."""
        status = self._process.wait()
        self._output.seek(0)
        said = self._output.read().decode(errors="replace")
        return f"The second process of the tests ended with status {status}:\n{said}"

    def end(self) -> str:
        """Wait until it is done, unless the session leaves tests out; returns what went wrong in it
        apart from its tests."""
        done = all("teardown" in found for found in self._reports.values())
        if not done:
            self._process.kill()
        failed = any(one.failed for found in self._reports.values() for one in found.values())
        status = self._process.wait()
        said = self.last_words() if done and status and not failed else ""
        self._thread.join()
        self._output.close()
        return said


def _options(config: pytest.Config, descriptor: int) -> Iterator[str]:
    """This session's own options, where they decide how a test runs."""
    yield from (f"--reports-to={descriptor}", "-q", "-p", "no:cacheprovider")
    yield f"--rootdir={config.rootpath}"
    if config.inipath:
        yield from ("-c", str(config.inipath))
    given = config.option
    for option, values in (
        ("-p", given.plugins),
        ("-W", given.pythonwarnings),
        ("-o", given.override_ini),
    ):
        for value in values or ():
            yield from (option, value)


class Elsewhere(pytest.Item):
    """Stands in for a test that the other process runs."""

    @classmethod
    def in_place_of(cls, test: pytest.Item) -> Elsewhere:
        item: Elsewhere = cls.from_parent(test.session, name=test.name, nodeid=test.nodeid)
        item.test, item.phases = test, {}
        item.add_marker(pytest.mark.timeout(0))  # it has its limits where it runs: see setup
        return item

    test: pytest.Item
    phases: Reports

    def setup(self) -> None:
        """Wait until the test is over. Both its limits are the other process's."""
        faulthandler.cancel_dump_traceback_later()
        self.phases = self.session.stash[PROCESS].reports(self.nodeid)

    def runtest(self) -> None:
        """Its reports say how it ended, unless the process did."""
        if "teardown" not in self.phases:
            pytest.fail(self.session.stash[PROCESS].last_words(), pytrace=False)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        return self.test.reportinfo()


PROCESS = pytest.StashKey[SecondProcess]()
_TROUBLE = pytest.StashKey[str]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> pytest.TestReport | None:
    if isinstance(item, Elsewhere) and call.excinfo is None:
        return item.phases.get(call.when)
    return None


def pytest_collection_finish(session: pytest.Session) -> None:
    given = session.config.option
    here = given.usepdb or given.trace or given.capture == "no" or given.collectonly
    theirs = [place for place, item in enumerate(session.items) if mostly_waits(item)]
    if here or given.reports_to is not None or len(theirs) == len(session.items):
        return
    for place in theirs:
        session.items[place] = Elsewhere.in_place_of(session.items[place])


def pytest_runtest_setup(item: pytest.Item) -> None:
    session = item.session
    if PROCESS in session.stash or item.get_closest_marker("alone"):
        return
    names = [one.nodeid for one in session.items if isinstance(one, Elsewhere)]
    if names:
        session.stash[PROCESS] = SecondProcess(session.config, names)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if PROCESS in session.stash:
        trouble = session.stash[PROCESS].end()
        if trouble and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        session.config.stash[_TROUBLE] = trouble


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if trouble := config.stash.get(_TROUBLE, ""):
        terminalreporter.section("second process")
        terminalreporter.write_line(trouble)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reports-to", type=int, help="the suite's own: a file descriptor")


def pytest_configure(config: pytest.Config) -> None:
    descriptor = config.getoption("reports_to")
    if descriptor is not None:
        # No program that a test starts keeps it open.
        os.set_inheritable(descriptor, False)
        config.pluginmanager.register(_Sender(config, descriptor))


class _Sender:
    """In the second process: sends each report to the first."""

    def __init__(self, config: pytest.Config, descriptor: int) -> None:
        self._config = config
        self._pipe = open(descriptor, "wb")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        pickle.dump(data, self._pipe)
        self._pipe.flush()

    def pytest_unconfigure(self) -> None:
        self._pipe.close()
