"""Compares a figure with its goal."""

from __future__ import annotations


def verdict(what: str, value: float, goal: float, *, least: bool = False) -> bool:
    """Print a figure beside its goal; return whether it is reached.

    :param least: the goal is a minimum; else a maximum.
    """
    reached = value >= goal if least else value <= goal
    bound = "at least " if least else ""
    print(f"  {what}: {value:.2f}, goal {bound}{goal:g}: {'reached' if reached else 'MISSED'}")
    return reached
