"""Brings the catalogues in step with the sentences in the code, and compiles them.

``python -m tools.translations`` extracts, updates and compiles, then fails if a language lacks a
sentence or has one that is marked fuzzy. ``--check`` changes nothing and fails if it would.
A new language: ``pybabel init -D sentry_kit -i … -d … -l xx``, then this.
"""

from __future__ import annotations

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
    b'"POT-Creation-Date',
    b'"PO-Revision-Date',
    b'"Generated-By',
    b'"Last-Translator',
    b'"Language-Team',
    b'"Report-Msgid-Bugs-To',
)


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
    """The text of a catalogue, without headers that change with each run or say nothing."""
    buffer = io.BytesIO()
    write_po(buffer, catalogue, width=100, sort_output=True)
    lines = buffer.getvalue().splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(_LEFT_OUT))


def as_mo(po: bytes, locale: str) -> bytes:
    """What ``gettext`` reads of it."""
    buffer = io.BytesIO()
    write_mo(buffer, read_po(io.BytesIO(po), locale=locale, domain=DOMAIN))
    return buffer.getvalue()


def wanting(catalogue: Catalog) -> list[str]:
    """Sentences that have no translation, or one that nobody has confirmed."""
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


def main(arguments: list[str]) -> int:
    made, missing = files()
    stale = [
        path for path, content in made.items() if not path.exists() or path.read_bytes() != content
    ]
    for path in stale:
        print(path.relative_to(ROOT), "is out of date" if "--check" in arguments else "written")
        if "--check" not in arguments:
            path.write_bytes(made[path])
    for line in missing:
        print("missing or fuzzy in", line)
    return 1 if missing or (stale and "--check" in arguments) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
