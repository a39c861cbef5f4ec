"""The recipes of docs/outside-requests.md, as they are printed there, with the real libraries."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_sentry_kit import sentry, sentry_kit
from tests.support.beside import ENVIRONMENT
from tests.support.sentry import RecordingSentry

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "outside-requests.md").read_text("utf-8")

SHOP = """\
from flask import Flask

from flask_sentry_kit import sentry, sentry_kit

app = Flask("shop")
app.config.update(SENTRY_DSN={dsn!r}, SECRET_KEY="k")
app.register_blueprint(sentry_kit)

"""
"""The file of an app, which a recipe and a test's own lines follow."""


REDIS = """\
import subprocess, sys, threading
from fakeredis import TcpFakeServer
from fakeredis.model._client_info import ClientInfo

# fakeredis answers CLIENT INFO with values that redis-py cannot read; RQ asks it for the address.
ClientInfo.as_bytes = lambda self: b"addr=127.0.0.1:1"
server = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
threading.Thread(target=server.serve_forever, daemon=True).start()
url = "redis://127.0.0.1:%d" % server.server_address[1]
for script in sys.argv[1:]:
    subprocess.run(script.replace("URL", url), shell=True, check=True, timeout=40)
"""
"""Runs commands beside a Redis in memory, whose address takes the place of URL."""


class Broken(Exception):
    """What the work outside a request fails with."""


class Work:
    """Whatever the recipes call: ``newsletter.send()``."""

    def __getattr__(self, name: str) -> Any:
        raise Broken("no paper left")


def recipe(title: str, language: str = "python") -> str:
    """The code in a section of the document."""
    section = DOCUMENT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    found = re.search(rf"^```{language}\n(.*?)^```", section, re.M | re.S)
    assert found, f"no {language} under {title!r}"
    return found[1]


def run_recipe(title: str, app: Flask, **given: Any) -> dict[str, Any]:
    """Run a recipe in this process; returns its names."""
    names = {"app": app, "sentry": sentry, **given}
    exec(compile(recipe(title), "recipe.py", "exec"), names)
    return names


def new_app(wire: RecordingSentry) -> Flask:
    app = Flask("shop")
    app.config.update(SENTRY_DSN=wire.dsn, SECRET_KEY="k")
    app.register_blueprint(sentry_kit)
    return app


def failure(event: dict[str, Any]) -> tuple[str, str]:
    """Type and text of an event's exception, which has its stack."""
    error = event["exception"]["values"][-1]
    assert error["stacktrace"]["frames"]
    return error["type"], error["value"]


def run(folder: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of this environment in a folder, to its end."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**ENVIRONMENT, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
        timeout=50,
    )


def test_a_thread(wire: RecordingSentry, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a thread raises is one event, and reaches the thread's own hook as well."""
    raised: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda details: raised.append(details.exc_type))
    app = new_app(wire)
    before = set(threading.enumerate())
    run_recipe("A thread", app, threading=threading, newsletter=Work())
    for thread in set(threading.enumerate()) - before:
        if "send_newsletter" in thread.name:
            thread.join(10)
    wire.wait_for(1)
    assert failure(wire.one_event(app)) == ("Broken", "no paper left")
    assert wire.wait(lambda: raised == [Broken])


def test_celery_in_the_same_process(wire: RecordingSentry) -> None:
    """A task that fails where it is called (task_always_eager) is one event."""
    from celery import Celery
    from celery.signals import task_failure

    app = new_app(wire)
    celery = Celery("shop", set_as_current=False)
    celery.conf.task_always_eager = True
    names = run_recipe("Celery", app)
    try:

        @celery.task
        def pack() -> None:
            raise Broken("no paper left")

        assert isinstance(pack.delay().result, Broken)
    finally:
        task_failure.disconnect(names["report_task"])
    event = wire.one_event(app)
    assert failure(event) == ("Broken", "no paper left")
    assert event["exception"]["values"][-1]["stacktrace"]["frames"][-1]["function"] == "pack"


def test_apscheduler(wire: RecordingSentry) -> None:
    """A job that raises is one event, with the stack of the job."""
    from apscheduler.schedulers.background import BackgroundScheduler

    app = new_app(wire)
    scheduler = BackgroundScheduler(timezone="UTC")
    run_recipe("APScheduler", app, scheduler=scheduler)

    def pack() -> None:
        raise Broken("no paper left")

    scheduler.add_job(pack)
    scheduler.start()
    try:
        wire.wait_for(1)
    finally:
        scheduler.shutdown()
    event = wire.one_event(app)
    assert failure(event) == ("Broken", "no paper left")
    assert event["exception"]["values"][-1]["stacktrace"]["frames"][-1]["function"] == "pack"


def test_socketio(wire: RecordingSentry) -> None:
    """What a Socket.IO handler raises is one event with its request, and is raised on."""
    from flask_socketio import SocketIO

    app = new_app(wire)
    socketio = SocketIO(app, async_mode="threading", monitor_clients=False)
    run_recipe("Flask-SocketIO", app, socketio=socketio)

    @socketio.on("pack")
    def pack(data: Any) -> None:
        raise Broken("no paper left")

    client = socketio.test_client(app)
    with pytest.raises(Broken):
        client.emit("pack", {"paper": 1})
    event = wire.one_event(app)
    assert failure(event) == ("Broken", "no paper left")
    assert event["request"]["url"] == "http://localhost/socket.io"


@pytest.mark.beside
def test_a_flask_command() -> None:
    """What a command raises is sent before its process ends, and the command fails as before."""
    with RecordingSentry() as wire, tempfile.TemporaryDirectory() as folder:
        shop = SHOP.format(dsn=wire.dsn) + recipe("A `flask` command")
        Path(folder, "shop.py").write_text(shop)
        ended = run(folder, "-m", "flask", "--app", "shop", "import-orders")
        assert ended.returncode == 1
        assert "NameError" in ended.stderr
        assert [failure(event)[0] for event in wire.events] == ["NameError"]


@pytest.mark.beside
def test_rq() -> None:
    """Each job's process ends by os._exit, and the event of each job has arrived by then."""
    with RecordingSentry() as wire, tempfile.TemporaryDirectory() as folder:
        jobs = "\n\ndef pack(number):\n    raise RuntimeError(number)\n"
        Path(folder, "shop.py").write_text(SHOP.format(dsn=wire.dsn) + recipe("RQ") + jobs)
        Path(folder, "enqueue.py").write_text(
            "import sys, redis, rq\n"
            "queue = rq.Queue(connection=redis.Redis.from_url(sys.argv[1]))\n"
            "for number in range(3): queue.enqueue('shop.pack', number)\n"
        )
        Path(folder, "with_redis.py").write_text(REDIS)
        worker = recipe("RQ", "sh").strip()
        assert worker.startswith("rq worker ")
        python = f"'{sys.executable}'"
        ended = run(
            folder,
            "with_redis.py",
            f"{python} enqueue.py URL",
            f"{python} -m rq.cli {worker[3:]} --burst --path . --url URL",
        )
        assert ended.returncode == 0, ended.stderr
        found = sorted(failure(event) for event in wire.events)
        assert found == [("RuntimeError", str(number)) for number in range(3)], ended.stderr


@pytest.mark.beside
def test_a_celery_worker() -> None:
    """A real worker's task that fails is one event, which has arrived when its process ends."""
    with RecordingSentry() as wire, tempfile.TemporaryDirectory() as folder:
        Path(folder, "shop.py").write_text(
            SHOP.format(dsn=wire.dsn)
            + recipe("Celery")
            + """

import os, signal
from celery import Celery

celery = Celery("shop", broker="filesystem://")
celery.conf.broker_transport_options = {
    "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "queue",
}


@celery.task(name="pack")
def pack(worker=None):
    raise RuntimeError("no paper left")


@task_failure.connect(weak=False)
def end_worker(**details):
    os.kill(os.getppid(), signal.SIGTERM)


if __name__ == "__main__":
    os.mkdir("queue")
    pack.delay()
    celery.worker_main([
        "worker", "--pool=prefork", "--concurrency=1", "--loglevel=WARNING",
        "--without-gossip", "--without-mingle", "--without-heartbeat",
    ])
"""
        )
        ended = run(folder, "shop.py")
        assert ended.returncode == 0, ended.stderr
        assert [failure(event) for event in wire.events] == [("RuntimeError", "no paper left")]
