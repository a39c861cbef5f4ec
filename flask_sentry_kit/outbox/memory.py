"""The queue in memory. Holds no lock: the worker's guards it. Gone with the process."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Set
from dataclasses import replace

from .item import Entry, Item, Ticket


class MemoryQueue:
    """Bounded by count and bytes; when it is full the newest is refused.

    The oldest are kept because their ids have been shown already: a refused event never gets
    an id, so nothing is claimed that does not happen.
    """

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self.max_items = max_items
        self.max_bytes = max_bytes
        self.bytes = 0
        self.last_id = 0
        # In order of arrival; a dict, so that one from the middle leaves at no cost.
        self._entries: dict[int, Entry] = {}
        # How many there are of each origin.
        self._origins: Counter[str] = Counter()
        self._unpacked: deque[int] = deque(maxlen=max_items)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, item: Item, ticket: Ticket) -> bool:
        size = item.size
        if len(self._entries) >= self.max_items or self.bytes + size > self.max_bytes:
            return False
        self.last_id += 1
        origin = item.request.origin
        self._entries[self.last_id] = Entry(self.last_id, item, origin, ticket=ticket)
        self._origins[origin] += 1
        self._unpacked.append(self.last_id)
        self.bytes += size
        return True

    def head(self, skip: Set[str]) -> Entry | None:
        """The oldest entry whose origin is not in ``skip``."""
        if self._origins.keys() <= skip:
            return None
        return next(entry for entry in self._entries.values() if entry.origin not in skip)

    def origins(self) -> set[str]:
        return set(self._origins)

    def remove(self, entry: Entry) -> None:
        if self._entries.pop(entry.id, None) is not None:
            self.bytes -= entry.item.size
            self._origins[entry.origin] -= 1
            if not self._origins[entry.origin]:
                del self._origins[entry.origin]

    def any_up_to(self, id: int) -> bool:
        return next(iter(self._entries), id + 1) <= id

    def next_unpacked(self) -> Entry | None:
        """An event that still waits as it was put: packing it makes room."""
        while self._unpacked:
            entry = self._entries.get(self._unpacked.pop())
            if entry is not None and entry.item.kind == "event":
                return entry
        return None

    def pack(self, entry: Entry, item: Item) -> None:
        """Take ``item``, the same with a packed body, in the entry's place."""
        if entry.id in self._entries:
            self.bytes += item.size - entry.item.size
            entry.item = item


def packed(item: Item) -> Item:
    """The item with its body gzipped.

    Events only: what takes feedback is a form, and no Sentry unpacks a form's body.
    """
    return replace(item, request=item.request.packed()) if item.kind == "event" else item
