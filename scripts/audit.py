"""``python -m scripts.audit``: published holes in what the kit depends on.

Asks pip-audit about the oldest releases that pyproject.toml allows and about those that are
installed. Ends with 1 for a hole that is not in ``UNREACHED``, and with 2 where the advisories of
a package could not be read: an audit without advisories shows nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from .oldest import constraints, requirements

_WINDOWS: Final = "a static file's name on Windows, where pyproject.toml asks for Werkzeug 3.1.9"

UNREACHED: Final = {
    # Flask 2.3.2
    "GHSA-68rp-wp8r-4726": "the kit never asks a session for its keys, and its pages say no-store",
    # Werkzeug 2.3.8
    "GHSA-2g68-c3qc-8985": "Werkzeug's debugger is never switched on by the kit",
    "GHSA-q34m-jh98-gwm2": "forms are read up to 64 kB at a crash, and up to 2 MB by the inbox",
    "GHSA-f9vj-2wh5-fj8j": _WINDOWS,
    "GHSA-hgf8-39gv-g3f2": _WINDOWS,
    "GHSA-87hc-h4r5-73f7": _WINDOWS,
    "GHSA-29vq-49wr-vm6x": _WINDOWS,
    "GHSA-g6x2-hccm-hh4m": _WINDOWS,
    # urllib3 2.6.3
    "GHSA-mf9v-mfxr-j63j": "answers are never unpacked, and never drained",
    "GHSA-qccp-gfcp-xxvc": "no redirect is followed, and ProxyManager is not used",
    "GHSA-8988-9cw3-xx77": "proxies are spoken to by HTTP alone",
    "GHSA-vxq7-64xx-v4gw": "answers are read by read(amt) of http.client, which bounds the line",
    "GHSA-gh4c-6fx4-qh6g": "answers are never unpacked",
    # sentry-sdk 2.0.0
    "GHSA-g92j-qhmh-64v2": "the kit starts no process with an empty environment",
}
"""Holes of the oldest releases that no way through the kit leads to, each with the reason.
An app may well reach them: the README says which releases are wise."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One published hole of one release."""

    release: str
    unread: bool = False
    """Its advisories could not be read."""
    holes: tuple[tuple[str, str], ...] = ()
    """The id of each, and why the kit does not reach it; empty if nobody has said so."""


def read(report: str) -> list[Finding]:
    """Judge what ``pip-audit --format json`` printed."""
    return [_finding(one) for one in json.loads(report)["dependencies"]]


def _finding(package: dict[str, Any]) -> Finding:
    if "skip_reason" in package:
        return Finding(package["name"], unread=True)
    holes = []
    for hole in package["vulns"]:
        names = [hole["id"], *hole.get("aliases", ())]
        reason = next((UNREACHED[name] for name in names if name in UNREACHED), "")
        holes.append((", ".join(names), reason))
    return Finding(f"{package['name']} {package['version']}", holes=tuple(holes))


def status(findings: Iterable[Finding]) -> int:
    """0: no hole that is reached; 1: one that may be; 2: not everything could be read."""
    findings = list(findings)
    if not findings or any(one.unread for one in findings):
        return 2
    return 1 if any(not reason for one in findings for _, reason in one.holes) else 0


def _ask(pins: list[str]) -> list[Finding]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pins.txt")
        path.write_text("\n".join(pins) + "\n", "utf-8")
        asked = subprocess.run(
            [sys.executable, "-m", "pip_audit", "--requirement", str(path), "--no-deps"]
            + ["--disable-pip", "--format", "json", "--progress-spinner", "off"],
            capture_output=True,
            text=True,
        )
    if not asked.stdout.startswith("{"):
        print(asked.stderr.strip(), file=sys.stderr)
        return []
    return read(asked.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.audit")
    parser.add_argument(
        "--short", action="store_true", help="say what would be asked about, and ask nobody"
    )
    short = parser.parse_args().short
    worst = 0
    installed = [f"{one.name}=={version(one.name)}" for one in requirements()]
    for title, pins in (("oldest", constraints()), ("installed", installed)):
        if short:
            print(f"The {title} releases, not asked about: {', '.join(pins)}")
            continue
        findings = _ask(pins)
        worst = max(worst, status(findings))
        print(f"The {title} releases:")
        for one in findings:
            for hole, reason in one.holes:
                said = f"not reached: {reason}" if reason else "MAY BE REACHED"
                print(f"  {one.release}  {hole}  {said}")
            if not one.holes:
                said = "its advisories could not be read" if one.unread else "no published hole"
                print(f"  {one.release}  {said}")
    if short:
        return 0
    print(
        {
            0: "No published hole is reached by the kit.",
            1: "Raise the minimum, or say in scripts/audit.py why the hole is not reached.",
            2: "Nothing is shown: not all advisories could be read. Is PyPI's JSON API reachable?",
        }[worst]
    )
    return worst


if __name__ == "__main__":
    sys.exit(main())
