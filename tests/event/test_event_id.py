"""Event ids are drawn in batches, and are as random as ids drawn one at a time."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from flask_sentry_kit.event.event_id import new_event_id


def test_an_id_is_a_random_uuid() -> None:
    """32 hexadecimal digits with the marks of version 4 (RFC 9562), none of them twice."""
    ids = [new_event_id() for _ in range(500)]
    assert len(set(ids)) == 500
    assert all(re.fullmatch(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}", one) for one in ids)


_FORKING = """
import os
from flask_sentry_kit.event.event_id import new_event_id
new_event_id()
child = os.fork()
ids = [new_event_id() for _ in range(64)]
os.write(1, "".join(f"{one} " for one in ids).encode())
if child:
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
def test_a_forked_process_draws_its_own() -> None:
    """Parent and child process share no id, even if the parent has drawn ids before."""
    done = subprocess.run(
        [sys.executable, "-c", _FORKING], capture_output=True, text=True, timeout=30, check=True
    )
    ids = done.stdout.split()
    assert len(ids) == len(set(ids)) == 128
