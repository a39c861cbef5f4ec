"""``client.context`` with raven's interface. Each access uses the scope of the current work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...event.scope import Breadcrumbs, Scopes


class Context(Scopes, Mapping[str, Any]):
    """The context that raven's users write to and read from.

    :param breadcrumbs: whether scopes record breadcrumbs.
    """

    @property
    def data(self) -> dict[str, Any]:
        scope = self.find()
        return {} if scope is None else scope.data

    @property
    def breadcrumbs(self) -> Breadcrumbs:
        return self.scope().breadcrumbs

    def merge(self, data: Mapping[str, Any], activate: bool = True) -> None:
        self.scope().merge(data)

    def set(self, data: dict[str, Any]) -> None:
        self.scope().data = data

    # raven's method, with another meaning than Mapping.get
    def get(self, *args: Any) -> Any:
        return super().get(*args) if args else self.data

    def clear(self, deactivate: bool | None = None) -> None:
        scope = self.find()
        if scope is not None:
            scope.clear()

    def activate(self, sticky: bool = False) -> None:
        """Nothing to do: the scope is looked up each time."""

    def deactivate(self) -> None:
        """Nothing to do: the scope is looked up each time."""

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *exc_info: object) -> None:
        return None

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    # Contexts are compared by identity, not by content, because raven keeps them in sets.
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other
