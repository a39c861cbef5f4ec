"""Writes the docs that are made from the code: the settings, raven's settings beside sentry-sdk's,
and what an event never holds.

``python -m scripts.settings_page`` writes what is out of date and names it. ``--check`` names it,
writes nothing, and then ends with 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from flask_sentry_kit.event import (
    frames,
    masked_values,
    request,
    scrub,
    scrub_event,
    shown_values,
    source,
)
from flask_sentry_kit.event import interfaces as event
from flask_sentry_kit.reporters.sentry_sdk.raven_settings import RAVEN_SETTINGS, RavenSetting
from flask_sentry_kit.settings import SETTINGS, Setting

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- settings: made by `make docs` -->", "<!-- end of settings -->"
RAVEN_BEGIN, RAVEN_END = "<!-- raven: made by `make docs` -->", "<!-- end of raven -->"

_INTRODUCTION = """\
# Settings

<!-- Made by `make docs` from flask_sentry_kit/settings.py: edit that. -->

Each is a key of `app.config`, or a keyword of `SentryKit(…)`, which wins. A key that begins with
`SENTRY_KIT_` and is not in this list, or a value that cannot work, is an error when the kit is
registered. raven's own settings (`SENTRY_DSN`, `SENTRY_CONFIG`, `SENTRY_USER_ATTRS`,
`SENTRY_RELEASE` and the rest) are read by raven's rules; what has their place with sentry-sdk is in
[sentry-sdk.md](sentry-sdk.md).
"""


_MASKING = """\
# What stays home

<!-- Made by `make docs` from flask_sentry_kit/event: edit that. -->

One scrubber goes over all of an event: headers, cookies, query, form, JSON, local variables, extra
data, breadcrumbs, messages and log records. What it masks is shown as `{mask}`.

By name, wherever the name stands (a header, a form field, a key, a variable, `name=value` inside a
text):

- anywhere in the name, without its punctuation and whatever its case: {parts}
- a whole word of the name (`card_holder`, `cardHolder`, but not `discard`): {words}
- the whole name: {names}
- what `sanitize_keys` of `SENTRY_CONFIG` adds, anywhere in the name

By looks, under any name: numbers that pass as payment cards (13 to 19 digits with a right check
digit), JSON web tokens, `Bearer …` and `Basic …`, and the password in an address.

Of cookies only the names are sent. Local variables are sent for your own code's frames, never for
those of Python, Flask or another installed package (`include_paths` says what is yours). `sys.argv`
is not sent.

## Lines of source

Every frame that is sent has its lines of source, and all of them are masked, those of installed
packages too: your own app may be one. What is masked are literals that belong to a sensitive name:
assigned, compared, returned by `get_password()`, a default, a keyword, an item of a dict or of a
pair. So is what gives itself away by its looks, in strings and comments. Of a line {line_max}
characters are sent.

## Said once, masked everywhere

What was masked for its name is masked wherever else it stands in the same event: in messages, log
records, tuples, other frames and chained errors. That holds for values of at least {length_min}
characters, {values_max} of them at most. A value that is a plain word, a path or a date is masked
only where it is the whole value or stands in quotes. Types, files, modules, functions, names, the
rule, the release, the host and the user's id are never masked, so nobody can blank them by sending
`?token=views.py`. Errors of pydantic, SQLAlchemy, PostgreSQL and MySQL say a field's name apart
from its value; the two are put together.

## What is sent of a visitor

- the address: `REMOTE_ADDR` as `user.ip_address` and in `request.env`, and headers that a proxy
  adds, such as `X-Forwarded-For`
- the page they came from: the `Referer` header, its path included, its query scrubbed
- the failed request: its address, query, headers, form and JSON, scrubbed, and the names of cookies
- who was signed in: the id, whether they are authenticated, and what `SENTRY_USER_ATTRS` or
  `SENTRY_KIT_USER` name
- the name and email address of who is signed in, in the hosted dialog's address, before they wrote
  anything (`SENTRY_KIT_PREFILL`); the browser asks the Sentry server for the dialog, so that server
  sees the browser's address and, in `Referer`, the page's origin without its path
- the words, name and email address that they type into form or dialog and send

With `SENTRY_KIT_PII = False` no address and no `Referer` are sent, not in messages and variables
either, and nothing is filled in, whatever `SENTRY_KIT_PREFILL` says. The user's id and what
`SENTRY_USER_ATTRS` or `SENTRY_KIT_USER` name stay your choice. An event that another reporter
builds (raven's own class, sentry-sdk) follows that reporter's rules. `SENTRY_KIT_DIALOG = False`
keeps browsers from asking the Sentry server.

## How large it gets

An event has at most {event_max:,} bytes. Of a stack {frames_max} frames are kept, the outermost and
the innermost ones; of chained and grouped exceptions {exceptions_max}; of a message
{message_max:,} characters. A request's body is read after the crash, if the view did not read it
and it has at most {body_max:,} bytes. `string_max_length` and `list_max_length` bound single
values, as with raven.

## Events of sentry-sdk

sentry-sdk builds its events itself, and they stay as it builds them. With `SENTRY_KIT_SCRUB = True`
the same scrubber goes over each of them, transactions too, before your own `before_send` gets it.
Names, looks, lines of source and "said once, masked everywhere" are then as above, in every part:
exceptions, threads, variables, request, breadcrumbs, spans, contexts, tags, extra data, messages
and log records. A value that the SDK's own scrubber replaced by `{filtered}` is masked where a text
repeats it. Of cookies only the names are left, variables only in frames that the SDK takes for your
own (`in_app_include`), and `sys.argv` is taken out. What needs no mask keeps the form that the SDK
gave it. If a part cannot be scrubbed, the mask is sent in its place.

What is different there:

- `send_default_pii` decides what is sent of a visitor, not `SENTRY_KIT_PII`, and the SDK's options
  decide how large an event gets. A message is cut at {message_max:,} characters, any other text at
  {string_max:,}. Of the variables {variables_max:,} characters are scrubbed, the innermost frames'
  first; what is beyond is masked.
- The SDK sends a named tuple or a row of a database without the names of its fields. A password in
  one is masked for its looks, or if the same event has it under its name elsewhere.
- The argument of a rule such as `/reset/<token>` is masked in the address of an error. In that of a
  transaction it is masked for its looks, or if the transaction is named after its rule
  (`FlaskIntegration(transaction_style="url")`).
- Logs and metrics that the SDK sends without an event, profiles, sessions, streamed spans and
  attachments are not scrubbed, nor is what your `before_send` adds.
"""


def masking() -> str:
    """The scrubber's lists and the bounds of an event, in words."""

    def listed(names: Iterable[str]) -> str:
        return ", ".join(f"`{name}`" for name in sorted(names))

    return _MASKING.format(
        mask=scrub.MASK,
        parts=listed(scrub.SENSITIVE_PARTS),
        words=listed(scrub.SENSITIVE_WORDS),
        names=listed(scrub.SENSITIVE_NAMES),
        line_max=source.LINE_MAX,
        length_min=masked_values.LENGTH_MIN,
        values_max=masked_values.VALUES_MAX,
        event_max=event.EVENT_MAX,
        frames_max=frames.FRAMES_MAX,
        exceptions_max=event.EXCEPTIONS_MAX,
        message_max=event.MESSAGE_MAX,
        body_max=request.BODY_MAX,
        filtered=shown_values.FILTERED,
        string_max=shown_values.STRING_MAX,
        variables_max=scrub_event.VARIABLES_MAX,
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def table() -> str:
    """The settings as a Markdown table."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for setting in SETTINGS:
        default = f"`{_cell(repr(setting.default))}`".replace("'", '"')
        rows.append(f"| `{setting.name}` | {default} | {_cell(setting.meaning)} |")
    return "\n".join(rows) + "\n"


def raven_table() -> str:
    """raven's settings beside those of sentry-sdk, as a Markdown table."""
    rows = ["| raven | sentry-sdk | what is different |", "|---|---|---|"]
    for row in RAVEN_SETTINGS:
        counterpart = row.counterpart or "the same"
        rows.append(f"| {_name(row)} | {_cell(counterpart)} | {_cell(row.remark)} |")
    return "\n".join(rows) + "\n"


def _name(row: RavenSetting) -> str:
    if row.in_config_only:
        return f"`{row.name}` of `SENTRY_CONFIG`"
    also = ", `RAVEN_IGNORE_EXCEPTIONS`" if row.name == "ignore_exceptions" else ""
    return f"`SENTRY_{row.name.upper()}`{also}"


def _between(path: Path, begin: str, end: str, table: str) -> str:
    """A file's text with a table between two of its lines."""
    before, _, rest = path.read_text("utf-8").partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n\n{table}\n{end}{after}"


def _section(setting: Setting) -> str:
    default = repr(setting.default).replace("'", '"')
    return (
        f"\n## `{setting.name}`\n\n{setting.meaning}\n\n"
        f"- takes: {setting.takes}\n"
        f"- default: `{default}`\n"
        f"- keyword: `SentryKit({setting.keyword}=…)`\n"
    )


def pages() -> dict[Path, str]:
    """Each of these files, and the text that it should have."""
    readme, guide = ROOT / "README.md", ROOT / "docs" / "sentry-sdk.md"
    return {
        readme: _between(readme, BEGIN, END, table()),
        guide: _between(guide, RAVEN_BEGIN, RAVEN_END, raven_table()),
        ROOT / "docs" / "settings.md": _INTRODUCTION + "".join(map(_section, SETTINGS)),
        ROOT / "docs" / "masking.md": masking(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.settings_page")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it would")
    check = parser.parse_args().check
    stale = {
        path: text
        for path, text in pages().items()
        if not path.exists() or path.read_text("utf-8") != text
    }
    for path, text in stale.items():
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        print(path.relative_to(ROOT), "is out of date: run `make docs`" if check else "written")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
