"""The documents keep up with what they describe."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from scripts import settings_page

ROOT = Path(__file__).resolve().parents[2]


def test_the_settings_in_the_documents_are_those_of_the_code() -> None:
    """README.md and docs/settings.md are what `make docs` makes of settings.SETTINGS."""
    for path, text in settings_page.pages().items():
        assert path.read_text("utf-8") == text, f"{path.name} is out of date: run `make docs`"


def test_every_link_to_a_file_leads_somewhere() -> None:
    """A relative link or picture in a document names a file of the repository."""
    documents = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]
    links = 0
    for document in documents:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text("utf-8")):
            if "://" not in target:
                links += 1
                assert (document.parent / target).exists(), f"{document.name} links to {target}"
    assert links


def test_the_pictures_are_small() -> None:
    """A picture in the README weighs under 150 kB and is a PNG."""
    pictures = list((ROOT / "docs" / "images").glob("*"))
    assert pictures
    for picture in pictures:
        head = picture.read_bytes()[:24]
        assert head.startswith(b"\x89PNG"), picture.name
        assert min(struct.unpack(">II", head[16:24])) > 0
        assert picture.stat().st_size < 150_000, picture.name
