"""Compares a figure with its goal."""

from __future__ import annotations


def verdict(what: str, value: float, goal: float) -> bool:
    """Print a figure beside its goal, which is a maximum; return whether it is reached."""
    reached = value <= goal
    print(f"  {what}: {value:.2f}, goal {goal:g}: {'reached' if reached else 'MISSED'}")
    return reached
