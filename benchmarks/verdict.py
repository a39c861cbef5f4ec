"""How a figure stands to its goal."""

from __future__ import annotations


def verdict(what: str, value: float, goal: float) -> bool:
    """Print how a figure stands to its goal (at most); tell whether it is reached."""
    reached = value <= goal
    print(f"  {what}: {value:.2f}, goal {goal:g}: {'reached' if reached else 'MISSED'}")
    return reached
