"""Types of the fixtures that are functions, for annotations."""

from __future__ import annotations

import threading
from collections.abc import Callable
from subprocess import Popen
from typing import Any

from flask import Flask

from flask_sentry_kit.outbox import Item, Outbox

from .inbox import RunningInbox
from .proxy import RecordingProxy
from .sentry import RecordingSentry
from .visitor import Visitor

NewSentry = Callable[..., RecordingSentry]
NewProxy = Callable[..., RecordingProxy]
NewOutbox = Callable[..., Outbox]
MakeEvent = Callable[..., Item]
Spawn = Callable[..., "Popen[str]"]
MakeApp = Callable[..., Flask]
CrashEvent = Callable[..., "dict[str, Any]"]
Until = Callable[..., None]
Workers = Callable[[], "list[threading.Thread]"]
Visit = Callable[..., Visitor]
Serve = Callable[..., str]
ServeInbox = Callable[..., RunningInbox]
PutClockAhead = Callable[[float], None]
