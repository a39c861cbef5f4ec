"""The events that the inbox is measured with: one real crash, 42 frames deep, in many variations.

The kit captures the crash once. Each variation has another kind of crash, user, address, release
and locals, and is packed as its client packs it, but for its id: so that a sender with
few bodies sends any number of different events at next to no cost, the id and the time stand at the
beginning, in a deflate block that is not compressed (RFC 1951, section 3.2.4).
"""

from __future__ import annotations

import ast
import copy
import functools
import html.parser
import json
import random
import re
import string
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

KINDS: Final = 300
USERS: Final = 2_000
URLS: Final = 50
RELEASES: Final = 5

_TYPES: Final = (
    *("KeyError", "ValueError", "TypeError", "AttributeError", "IndexError", "RuntimeError"),
    *("TimeoutError", "ConnectionError", "PermissionError", "ZeroDivisionError", "LookupError"),
    *("NotImplementedError", "UnicodeDecodeError", "OperationalError", "IntegrityError"),
)
_PLACES: Final = ("cart", "prices", "stock", "orders", "letters", "login", "gifts")
_DOING: Final = ("total", "reserve", "discount", "render", "send", "check", "find", "pay")
_WORDS: Final = (
    *(
        "lamp",
        "chair",
        "table",
        "shelf",
        "mirror",
        "carpet",
        "pillow",
        "drawer",
        "basket",
        "coupon",
    ),
    *("invoice", "customer", "address", "delivery", "payment", "voucher", "warehouse", "supplier"),
)


class _Price:
    def __deepcopy__(self, memo: dict[int, Any]) -> object:
        return json.dumps({"lines": [self]}, default=_described, indent=1)


def _described(price: object) -> object:
    return _Names().visit(ast.parse("lambda price: rounded(price + tax)"))


class _Names(ast.NodeVisitor):
    def visit_Name(self, node: ast.Name) -> str:
        return string.Template("$name").substitute(_Texts())


class _Texts(dict[str, str]):
    def __getitem__(self, name: str) -> str:
        _Markup().feed(f"<b>{name}</b>")
        return name


class _Markup(html.parser.HTMLParser):
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        re.sub("b", lambda found: str(_in_stock([found[0]])), tag)


def _in_stock(goods: list[str]) -> int:
    stock = {"lamp": 3, "chair": 2}
    return functools.reduce(lambda total, name: total + stock[name], goods, 0)


def crash() -> dict[str, Any]:
    """A crash in a view as the kit, with raven, sends it: 42 frames with source and locals."""
    from flask import Flask

    from flask_sentry_kit import sentry, sentry_kit
    from tests.support.sentry import RecordingSentry

    from .contender import caller

    app = Flask("benchmarks")
    app.secret_key = "benchmark"
    app.logger.disabled = True

    @app.route("/checkout")
    def checkout() -> str:
        return str(copy.deepcopy({"basket": [{"price": _Price()}]}))

    with RecordingSentry() as server:
        app.config.update(SENTRY_DSN=server.dsn, SENTRY_KIT_REPORTER="raven")
        app.register_blueprint(sentry_kit)
        caller(app, "/checkout")()
        with app.app_context():
            sentry.flush(30)
        return server.events[0]


class Variations:
    """Variations of a crash, the same ones for the same seed.

    :param event: the crash, as JSON.
    """

    def __init__(self, event: str, seed: int) -> None:
        self._event = event
        self._chance = random.Random(seed)

    def one(self) -> dict[str, Any]:
        """Another kind of crash, user, address, release and locals."""
        chance = self._chance
        kind, user = chance.randrange(KINDS), chance.randrange(USERS)
        place, doing = _PLACES[kind % len(_PLACES)], _DOING[kind % len(_DOING)]
        module, function = f"shop.{place}", f"{doing}_{kind}"
        event: dict[str, Any] = json.loads(self._event)
        failure = event["exception"]["values"][0]
        failure["type"] = _TYPES[kind % len(_TYPES)]
        failure["value"] = f"no {self._words(3)} in order {chance.randrange(10**6)}"
        event["message"] = f"{failure['type']}: {failure['value']}"
        frames = failure["stacktrace"]["frames"]
        frames[-1].update(module=module, function=function, filename=f"shop/{place}.py")
        frames[-1].update(lineno=20 + kind, context_line=f"    return {doing}({place}[{kind}])")
        for frame in frames[::3]:
            frame.setdefault("vars", {})["order"] = repr(self._words(2))
            frame["vars"]["number"] = str(chance.randrange(10**9))
        path = f"/{place}/{kind % URLS}"
        event["transaction"] = path
        event["request"].update(url=f"https://shop.example{path}", query_string=f"page={user % 9}")
        event["user"] = {
            "id": str(user),
            "username": f"visitor{user}",
            "email": f"visitor{user}@shop.example",
            "ip_address": f"198.51.{user // 250}.{user % 250}",
        }
        event["release"] = f"1.{kind % RELEASES}.0"
        event["environment"] = chance.choice(("production", "staging"))
        event["server_name"] = f"web{chance.randrange(4)}"
        event["tags"] = {**event.get("tags", {}), "plan": chance.choice(("free", "paid"))}
        return event

    def _words(self, count: int) -> str:
        return " ".join(self._chance.choices(_WORDS, k=count))


@dataclass(frozen=True, slots=True)
class Packed:
    """One event, packed but for its beginning."""

    head: str
    """What comes before the event: nothing, or the first lines of an envelope; ``{id}`` and
    ``{time}`` are left out."""
    rest: bytes
    """As text: the event behind its id and time."""
    deflated: bytes
    gzip: bool

    def body(self, event_id: str, at: datetime) -> bytes:
        """The body of a request with this event, with this id and time."""
        time = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        event = f'{{"event_id": "{event_id}", "timestamp": "{time}", '
        size = len(event) + len(self.rest)
        start = f"{self.head.format(id=event_id, time=time, size=size)}{event}".encode()
        stored = struct.pack("<BHH", 0, len(start), len(start) ^ 0xFFFF) + start
        if self.gzip:
            end = struct.pack("<II", zlib.crc32(self.rest, zlib.crc32(start)), self._all(start))
            return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + stored + self.deflated + end
        end = struct.pack(">I", zlib.adler32(self.rest, zlib.adler32(start)))
        return b"\x78\x9c" + stored + self.deflated + end

    def _all(self, start: bytes) -> int:
        return len(start) + len(self.rest)


# As sentry-sdk writes it.
_ENVELOPE: Final = (
    '{{"event_id":"{id}","sent_at":"{time}"}}\n'
    '{{"type":"event","content_type":"application/json","length":{size}}}\n'
)


def packed(events: Iterator[dict[str, Any]], *, envelope: bool, gzip: bool) -> Iterator[Packed]:
    """Pack events as the body of a request each.

    :param envelope: as an envelope.
    :param gzip: with gzip; else with deflate.
    """
    for event in events:
        facts = {k: v for k, v in event.items() if k not in ("event_id", "timestamp")}
        rest = json.dumps(facts, separators=(",", ":")).encode()[1:]
        machine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        deflated = machine.compress(rest) + machine.flush()
        yield Packed(_ENVELOPE if envelope else "", rest, deflated, gzip)
