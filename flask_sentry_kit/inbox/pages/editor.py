"""Makes the links that open a file at its line in the developer's editor.

The editor is chosen when the inbox is started. An event gives only the path and the line, which are
percent-encoded, so that no event can bring an address of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from ..content.stack import Frame
from ..errors import InboxError

EDITORS: Final = {
    "vscode": ("VS Code", "vscode://file{path}:{line}:{column}"),
    "vscode-insiders": ("VS Code Insiders", "vscode-insiders://file{path}:{line}:{column}"),
    "vscodium": ("VSCodium", "vscodium://file{path}:{line}:{column}"),
    "cursor": ("Cursor", "cursor://file{path}:{line}:{column}"),
    "windsurf": ("Windsurf", "windsurf://file{path}:{line}:{column}"),
    "zed": ("Zed", "zed://file{path}:{line}:{column}"),
    "pycharm": ("PyCharm", "pycharm://open?file={path}&line={line}"),
    "idea": ("IDEA", "idea://open?file={path}&line={line}"),
    "sublime": ("Sublime Text", "subl://open?url=file://{path}&line={line}"),
    "textmate": ("TextMate", "txmt://open?url=file://{path}&line={line}"),
    "emacs": ("Emacs", "emacs://open?url=file://{path}&line={line}"),
    "vim": ("Vim", "mvim://open?url=file://{path}&line={line}"),
}
"""Their names, and the addresses that they register for themselves (Emacs: through org-protocol or
emacs-url-handler; Vim: MacVim, or what the developer registers for ``mvim:``)."""

# Schemes that a browser acts on itself or that lead to another machine.
_NO_EDITORS: Final = frozenset(
    "about blob chrome data facetime file filesystem ftp ftps http https intent javascript jar ldap"
    " mailto ms-msdt search-ms sftp sms smb ssh tel telnet vbscript view-source ws wss".split()
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_FIELD = re.compile(r"\{[^}]*\}?")
_FIELDS: Final = ("{path}", "{line}", "{column}")
_DRIVE = re.compile(r"[A-Za-z]:[/\\]")


class Editor:
    """An editor, and where the files of an event are on this machine.

    :param choice: a name in `EDITORS`, or an address with ``{path}`` and, if the editor takes them,
        ``{line}`` and ``{column}``: ``myeditor://open?file={path}&line={line}``.
    :param source_roots: ``FROM=TO`` each: an event's folder, such as ``/app`` in a container, and
        the folder of the same files here. The longest one that fits is taken.
    :raises InboxError: says what is wrong and what is accepted.
    """

    def __init__(self, choice: str, source_roots: Sequence[str] = ()) -> None:
        known = EDITORS.get(choice.strip().lower())
        self.name, self._template = known or ("the editor", _checked(choice))
        self._roots = sorted(map(_root, source_roots), key=lambda root: -len(root[0]))

    def link(self, frame: Frame) -> str | None:
        """The address that opens the frame's file; None if its path is not absolute."""
        path = self._here(frame.path)
        if path is None:
            return None
        facts = (path, str(frame.line or 1), str(frame.column or 1))
        address = self._template
        for field, fact in zip(_FIELDS, facts, strict=True):
            address = address.replace(field, fact)
        return address

    def _here(self, path: str) -> str | None:
        """The path on this machine, percent-encoded and from a slash on."""
        if not path.isprintable():
            return None
        path = path.replace("\\", "/") if _DRIVE.match(path) else path
        for source, target in self._roots:
            if path.startswith(source + "/"):
                path = target + path[len(source) :]
                break
        drive = path[:2] if _DRIVE.match(path) else ""
        rest = path[len(drive) :]
        # "//host/share" would have an editor on Windows sign in at another machine.
        if not rest.startswith("/") or rest.startswith(("//", "/\\")) or ".." in rest.split("/"):
            return None
        return (f"/{drive}" if drive else "") + quote(rest, errors="replace")


def _checked(template: str) -> str:
    scheme = _SCHEME.match(template)
    names = ", ".join(EDITORS)

    def wrong(what: str) -> InboxError:
        return InboxError(
            f"--editor {template[:200]!r} {what}. It takes {names}, or an address such as"
            " myeditor://open?file={path}&line={line}"
        )

    if scheme is None:
        raise wrong("is no editor that is known here, and no address")
    if scheme[1].lower() in _NO_EDITORS:
        raise wrong(f"is no editor's address: {scheme[1].lower()}: is not allowed")
    if not template.isprintable() or " " in template:
        raise wrong("has white space or control characters in it")
    fields = _FIELD.findall(template)
    if unknown := [field for field in fields if field not in _FIELDS]:
        raise wrong(f"has {unknown[0]} in it, and only {', '.join(_FIELDS)} are filled in")
    if "{path}" not in fields:
        raise wrong("has no {path} in it")
    return template


def _root(text: str) -> tuple[str, str]:
    source, found, target = text.partition("=")
    source, target = source.rstrip("/\\"), target.rstrip("/\\")
    if not found or not _is_absolute(source) or not _is_absolute(target):
        raise InboxError(
            f"--source-root {text[:200]!r} is not FROM=TO with two absolute folders, such as"
            " /app=/home/ann/shop"
        )
    return _with_slashes(source), _with_slashes(target)


def _is_absolute(path: str) -> bool:
    return path.startswith("/") or bool(_DRIVE.match(path))


def _with_slashes(path: str) -> str:
    return path.replace("\\", "/") if _DRIVE.match(path) else path
