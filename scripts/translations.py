"""Brings the catalogues up to date with the sentences in the code, and compiles them.

``python -m scripts.translations`` extracts, updates and compiles, then fails if a language lacks a
sentence or has one that is marked fuzzy. ``--check`` changes nothing and fails if it would.
A new language: ``pybabel init -D sentry_kit -i … -d … -l xx``, then this.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "flask_sentry_kit"
FOLDER: Final = PACKAGE / "translations"
DOMAIN: Final = "sentry_kit"
KEYWORDS: Final = {"crash_text": None, "phrase": None}
"""Functions whose first argument is a sentence."""

_HEADER: Final = """\
# The words of flask-sentry-kit's crash page: {language}.
# Calm, brief, present tense; no exclamation mark, no blame. Sentences that begin with a small
# letter follow "This could not be sent:". %(address)s is an email address."""

_LEFT_OUT: Final = (
    "POT-Creation-Date",
    "PO-Revision-Date",
    "Generated-By",
    "Last-Translator",
    "Language-Team",
    "Report-Msgid-Bugs-To",
)
"""Headers that change with each run or say nothing."""


class _Dateless(Catalog):
    """A catalogue without a date or version in it, so that its bytes stay the same."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        return [header for header in super().mime_headers if header[0] not in _LEFT_OUT]


def extracted() -> Catalog:
    """The sentences in templates and code."""
    with (ROOT / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]  # Babel's own
    catalogue = Catalog(project="flask-sentry-kit", charset="utf-8", fuzzy=False)
    found = extract_from_dir(PACKAGE, methods, options, keywords=KEYWORDS)
    for _, _, message, comments, context in found:
        catalogue.add(message, None, [], auto_comments=comments, context=context)
    return catalogue


def updated(path: Path, template: Catalog) -> Catalog:
    """One language's catalogue with exactly the sentences there are."""
    with path.open("rb") as file:
        catalogue = read_po(file, locale=path.parts[-3], domain=DOMAIN)
    catalogue.update(template, no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    return _named(catalogue, str(catalogue.locale.english_name) if catalogue.locale else "")


def _named(catalogue: Catalog, language: str) -> Catalog:
    catalogue.fuzzy = False
    catalogue.header_comment = _HEADER.format(language=language)
    return catalogue


def as_po(catalogue: Catalog) -> bytes:
    """The text of a catalogue."""
    buffer = io.BytesIO()
    write_po(buffer, catalogue, width=100, sort_output=True)
    left_out = tuple(f'"{name}'.encode() for name in _LEFT_OUT)
    lines = buffer.getvalue().splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(left_out))


def as_mo(po: bytes, locale: str) -> bytes:
    """What ``gettext`` reads of it."""
    catalogue = _Dateless(locale=locale, domain=DOMAIN, charset="utf-8", fuzzy=False)
    for message in read_po(io.BytesIO(po), locale=locale, domain=DOMAIN):
        if message.id:
            catalogue[message.id] = message
    buffer = io.BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def wanting(catalogue: Catalog) -> list[str]:
    """Sentences without a translation, or with one that is marked fuzzy."""
    return [str(one.id) for one in catalogue if one.id and (not one.string or one.fuzzy)]


def files() -> tuple[dict[Path, bytes], list[str]]:
    """Every file as it should be, and what is missing."""
    template = extracted()
    made = {FOLDER / f"{DOMAIN}.pot": as_po(_named(template, "template"))}
    missing = []
    for path in sorted(FOLDER.glob(f"*/LC_MESSAGES/{DOMAIN}.po")):
        language = path.parts[-3]
        catalogue = updated(path, template)
        missing += [f"{language}: {message!r}" for message in wanting(catalogue)]
        made[path] = as_po(catalogue)
        made[path.with_suffix(".mo")] = as_mo(made[path], language)
    return made, missing


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.translations")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it would")
    check = parser.parse_args().check
    made, missing = files()
    stale = [
        path for path, content in made.items() if not path.exists() or path.read_bytes() != content
    ]
    for path in stale:
        if not check:
            path.write_bytes(made[path])
        said = "is out of date: run `make translations`" if check else "written"
        print(path.relative_to(ROOT), said)
    for line in missing:
        print("missing or fuzzy in", line)
    return 1 if missing or (stale and check) else 0


if __name__ == "__main__":
    sys.exit(main())
