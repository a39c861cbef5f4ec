"""Writes the settings table of README.md and docs/settings.md from ``settings.SETTINGS``.

``python -m tools.settings_page`` writes what is out of date and names it.
"""

from __future__ import annotations

from pathlib import Path

from flask_sentry_kit.settings import SETTINGS, Setting

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- settings: made by `make docs` -->", "<!-- end of settings -->"

_INTRODUCTION = """\
# Settings

<!-- Made by `make docs` from flask_sentry_kit/settings.py: edit that. -->

Each is a key of `app.config`, or a keyword of `SentryKit(…)`, which wins. A key that begins with
`SENTRY_KIT_` and is not in this list, or a value that cannot work, is an error when the kit is
registered. raven's own settings (`SENTRY_DSN`, `SENTRY_CONFIG`, `SENTRY_USER_ATTRS`,
`SENTRY_RELEASE` and the rest) are read by raven's rules.
"""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def table() -> str:
    """The settings as a Markdown table."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for setting in SETTINGS:
        default = f"`{_cell(repr(setting.default))}`".replace("'", '"')
        rows.append(f"| `{setting.name}` | {default} | {_cell(setting.meaning)} |")
    return "\n".join(rows) + "\n"


def _section(setting: Setting) -> str:
    default = repr(setting.default).replace("'", '"')
    return (
        f"\n## `{setting.name}`\n\n{setting.meaning}\n\n"
        f"- takes: {setting.takes}\n"
        f"- default: `{default}`\n"
        f"- keyword: `SentryKit({setting.keyword}=…)`\n"
    )


def pages() -> dict[Path, str]:
    """Every file with settings in it, as it shall be."""
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return {
        readme: f"{before}{BEGIN}\n\n{table()}\n{END}{after}",
        ROOT / "docs" / "settings.md": _INTRODUCTION + "".join(map(_section, SETTINGS)),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
