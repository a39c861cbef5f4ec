"""``python -m scripts.oldest``: the oldest releases that pyproject.toml allows, for pip.

The tests run on them once (``make test-oldest``), and ``make audit`` asks about them. With
``sentry-sdk`` as argument it is that one's alone, which is installed beside the newest: some tests
run on both, each time (tests/reporters/test_on_sentry_sdk.py).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from packaging.requirements import Requirement

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def requirements() -> list[Requirement]:
    """What pyproject.toml depends on, on this platform and Python."""
    # As text: Python 3.10 has no tomllib, and one list of strings needs none.
    lists = re.findall(
        r"^(?:dependencies|inbox|sentry-sdk) = \[\n(.*?)^\]",
        PYPROJECT.read_text("utf-8"),
        re.M | re.S,
    )
    if len(lists) != 3:
        raise ValueError("pyproject.toml has no list of dependencies, or lacks an extra")
    found = [
        Requirement(text) for text in re.findall(r'^\s*"([^"]+)"', "".join(lists), re.MULTILINE)
    ]
    return [one for one in found if one.marker is None or one.marker.evaluate()]


def oldest(requirement: Requirement) -> str:
    """The oldest release that a requirement allows.

    :raises ValueError: for a requirement without a lower bound.
    """
    bounds = [one.version for one in requirement.specifier if one.operator in (">=", "==")]
    if len(bounds) != 1:
        raise ValueError(f"{requirement} needs exactly one lower bound")
    return bounds[0]


def constraints() -> list[str]:
    """``name==version`` for each dependency."""
    return [f"{one.name}=={oldest(one)}" for one in requirements()]


def main(sentry_sdk: bool) -> None:
    pins = [pin for pin in constraints() if pin.startswith("sentry-sdk==") is sentry_sdk]
    sys.stdout.write("\n".join(pins) + "\n")


if __name__ == "__main__":
    main(sentry_sdk=sys.argv[1:] == ["sentry-sdk"])
