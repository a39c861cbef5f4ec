"""The queue in memory, which is lost with the process. The worker's lock guards it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Set
from dataclasses import replace

from .item import Entry, Item, Ticket


class MemoryQueue:
    """Items, bounded in number and bytes. When it is full, the newest is refused.

    The oldest are kept because their ids have been shown already. An event that is refused gets no
    id, so that no page shows an id of an event that is not sent.
    """

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self.max_items = max_items
        self.max_bytes = max_bytes
        self.bytes = 0
        self.last_id = 0
        # In order of arrival; a dict, so that removing one from the middle is cheap.
        self._entries: dict[int, Entry] = {}
        # How many entries there are of each origin.
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
        """A queued event that is not compressed yet; compressing it makes room."""
        while self._unpacked:
            entry = self._entries.get(self._unpacked.pop())
            if entry is not None and entry.item.kind == "event":
                return entry
        return None

    def pack(self, entry: Entry, item: Item) -> None:
        """Replace the entry's item by ``item``, the same with a compressed body."""
        if entry.id in self._entries:
            self.bytes += item.size - entry.item.size
            entry.item = item


def packed(item: Item) -> Item:
    """The item with the body of its first request gzipped, if that makes it smaller."""
    return replace(item, request=item.request.packed())
