"""What was dropped, and why, is in the counters and in the log."""

from __future__ import annotations

import copy
import pickle

import pytest

from flask_sentry_kit.outbox import Connection, Counters
from flask_sentry_kit.outbox.delivery_log import OTHERS, REASONS_COUNTED
from tests.support.outbox import run
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeEvent, NewOutbox, NewSentry, Spawn, Workers

from .test_damaged_spool import filled, header, zero

__all__ = ["filled"]


def test_the_counters_have_each_reason(
    hung: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """Their sum is ``dropped``."""
    outbox = new_outbox(max_items=1, max_bytes=50_000)
    for id in "abc":
        outbox.put(event(hung, id))
    outbox.put(event(hung, "large", size=200_000))
    outbox.refuse("the app's transport failed")
    assert outbox.counters.reasons == {
        "the queue is full": 2,
        "larger than the whole queue": 1,
        "the app's transport failed": 1,
    }
    assert outbox.counters.dropped == 4


def test_the_number_of_reasons_is_bounded(new_outbox: NewOutbox) -> None:
    """A server may give each refusal a text of its own."""
    outbox = new_outbox()
    for index in range(1000):
        outbox.refuse(f"reason {index}")
    reasons = outbox.counters.reasons
    assert len(reasons) == REASONS_COUNTED + 1
    assert reasons[OTHERS] == 1000 - REASONS_COUNTED
    assert outbox.counters.dropped == 1000


def test_the_counters_stay_four_numbers() -> None:
    """Code that unpacks, compares, copies or prints them does not see the reasons."""
    counters = Counters(1, 2, 3, 4, {"the queue is full": 4})
    queued, *_, dropped = counters
    assert (queued, dropped, len(counters)) == (1, 4, 4)
    assert counters == (1, 2, 3, 4)
    assert list(counters._asdict()) == ["queued", "sent", "retried", "dropped"]
    assert repr(counters) == "Counters(queued=1, sent=2, retried=3, dropped=4)"
    for other in (copy.copy(counters), pickle.loads(pickle.dumps(counters))):
        assert (other, other.reasons) == (counters, counters.reasons)
    assert counters._replace(queued=0).dropped == 4


CHILD = """
import logging
logging.basicConfig(format="%(message)s", level=logging.WARNING)
outbox = Outbox(timeout=0.5, max_items=2)
for id in "abcd":
    outbox.put(event(sys.argv[1], id))
outbox.refuse("a fault of the outbox")
"""


def test_the_rest_is_logged_at_exit(dead_port: int, spawn: Spawn) -> None:
    """What ends with the process is counted too."""
    out, err, _ = run(spawn(CHILD, f"http://127.0.0.1:{dead_port}"))
    assert out == ""
    lines = [line for line in err.splitlines() if line.startswith("Not delivered")]
    assert len(lines) <= 2
    said = "; ".join(lines)
    assert "2 × the process ended before it could be sent" in said
    assert "1 × a fault of the outbox" in said
    assert "the queue is full" in said


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("damage", [zero, header], ids=["all", "none readable"])
def test_what_a_damaged_spool_lost_is_counted(
    damage: object, path: str, server: RecordingSentry, new_outbox: NewOutbox
) -> None:
    """As far as the process had seen how many there were."""
    outbox = new_outbox(spool=path, destination=server.url)
    assert outbox.counters.queued == 30
    damage(path)  # type: ignore[operator]
    outbox.resume()
    outbox.flush(5)
    assert outbox.counters.reasons.get("lost with a damaged spool") == 30
    assert outbox.counters.dropped == 30


def test_a_connection_that_cannot_be_used_refuses_everything(
    path: str,
    dead_port: int,
    new_sentry: NewSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    workers: Workers,
) -> None:
    """What an earlier process left in the spool is not sent another way either: it stays there."""
    url = f"http://127.0.0.1:{dead_port}"
    before = new_outbox(spool=path, timeout=0.2)
    before.put(event(url, "a"))
    before.close(0)
    server = new_sentry(port=dead_port)
    connection = Connection(unusable="the client's CAs cannot be read")
    outbox = new_outbox(spool=path, destination=url, connection=connection)
    outbox.resume()
    assert outbox.put(event(server, "b")) is None
    assert outbox.counters.reasons == {"the client's CAs cannot be read": 1}
    assert outbox.counters.queued == 1
    assert not workers()
    assert server.received == []
