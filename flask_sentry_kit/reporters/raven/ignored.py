"""Decides whether an exception is ignored, as ``ignore_exceptions`` says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def is_ignored(kind: type, ignored: Iterable[Any]) -> bool:
    """Whether raven's ``ignore_exceptions`` lists an exception class.

    :param ignored: classes (their subclasses match too), names (``ValueError``, ``module.Name``)
        and prefixes (``module.*``).
    """
    name = type.__dict__["__name__"].__get__(kind)
    full = f"{type.__dict__['__module__'].__get__(kind)}.{name}"
    for one in ignored:
        if isinstance(one, str):
            if one in (name, full) or (one.endswith("*") and full.startswith(one[:-1])):
                return True
        elif isinstance(one, type) and one in type.mro(kind):
            return True
    return False
