"""Each dependency names its minimum and the reason; an audit that saw nothing is none."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from packaging.requirements import Requirement

from scripts import audit, oldest


def test_every_dependency_has_a_minimum_and_its_reason() -> None:
    """Each line names one oldest release, and says beside it what it is for."""
    text = oldest.PYPROJECT.read_text("utf-8")
    listed = re.findall(r"^(?:dependencies|inbox|sentry-sdk) = \[\n(.*?)^\]", text, re.M | re.S)
    lines = "".join(listed).splitlines()
    assert len(lines) > 5
    for line in lines:
        found = re.fullmatch(r'    "([^"]+)", +# (.+)', line)
        assert found, line
        assert oldest.oldest(Requirement(found[1]))
        assert len(found[2]) > 20, f"{found[1]} needs a reason"


def test_the_oldest_releases_are_pinned_exactly() -> None:
    """What `make test-oldest` installs names each dependency of this platform once."""
    pins = oldest.constraints()
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", pin) for pin in pins)
    names = [pin.partition("==")[0] for pin in pins]
    assert len(names) == len(set(names))
    assert {"flask", "werkzeug", "jinja2", "urllib3", "waitress", "sentry-sdk"} <= set(names)


@pytest.mark.parametrize("text", ["flask", "flask<4", "flask>=2,>=3"])
def test_a_dependency_without_one_minimum_is_an_error(text: str) -> None:
    """What has no oldest release, or two, cannot be tested on it."""
    with pytest.raises(ValueError, match="needs exactly one lower bound"):
        oldest.oldest(Requirement(text))


def _report(*packages: dict[str, Any]) -> list[audit.Finding]:
    """Findings of a report in the form of `pip-audit --format json`."""
    return audit.read(json.dumps({"dependencies": packages, "fixes": []}))


def _package(*holes: dict[str, Any]) -> dict[str, Any]:
    return {"name": "werkzeug", "version": "2.3.8", "vulns": list(holes)}


def test_an_audit_without_holes_passes() -> None:
    """Every package was looked up, and nothing was found."""
    assert audit.status(_report(_package())) == 0


def test_an_audit_that_read_nothing_does_not_pass() -> None:
    """pip-audit skips what it cannot look up and ends well; that shows nothing."""
    skipped = {"name": "flask", "skip_reason": "Dependency not found on PyPI"}
    assert audit.status(_report(_package(), skipped)) == 2
    assert audit.status([]) == 2


def test_a_hole_counts_until_somebody_says_why_it_is_not_reached() -> None:
    """A hole that the kit does not reach is known by any of its names, with the reason."""
    name = "GHSA-2g68-c3qc-8985"
    known = {"id": "PYSEC-2024-1", "aliases": ["CVE-2024-34069", name]}
    (finding,) = found = _report(_package(known))
    assert finding.holes[0][1] == audit.UNREACHED[name]
    assert audit.status(found) == 0
    unknown = {"id": "GHSA-xxxx-xxxx-xxxx", "aliases": []}
    assert audit.status(_report(_package(known, unknown))) == 1
