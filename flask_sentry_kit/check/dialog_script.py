"""Asks for the hosted dialog's script as a browser on the app's crash page does."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from ..dsn import ERROR_PAGE_PATH, Dsn
from .asking import Asker, Reply
from .deadline import OutOfTime
from .finding import Finding, plain

_REDIRECTS: Final = 3
_ADDRESS: Final = re.compile(r"(https?://[^\"'\s/]{1,300})(/[^\"'\s]{0,2000})")
_SWITCH_OFF: Final = "or switch the hosted dialog off: SENTRY_KIT_DIALOG = False"


@dataclass(frozen=True, slots=True)
class DialogScript:
    """What is known of the dialog."""

    finding: Finding
    scripts: tuple[str, ...] = ()
    """The origins that its script comes from, redirects included; empty if it does not load."""
    posts_to: str = ""
    """The origin that its form is sent to, where the script names one."""


def ask_for_dialog(dsn: Dsn, asker: Asker, origin: str) -> DialogScript:
    """Ask, and follow redirects, as a browser does. The address holds the public DSN alone.

    :param origin: the app's own origin, or empty if it is not known.
    """
    # Browsers name the page's origin in the Referer of a script, and not in Origin.
    headers = {"Referer": f"{origin}/"} if origin else {}
    url = dsn.report_url(uuid.uuid4().hex)
    origins = [dsn.origin]
    try:
        reply = asker.ask("GET", url, headers)
        for _ in range(_REDIRECTS):
            if reply.status not in (301, 302, 303, 307, 308) or "location" not in reply.headers:
                break
            url = urljoin(url, reply.headers["location"])
            if urlsplit(url).scheme not in ("http", "https"):
                break
            origins.append("{0.scheme}://{0.netloc}".format(urlsplit(url)))
            reply = asker.ask("GET", url, headers)
    except OutOfTime as error:
        return _lost("broken", f"Its script was not asked for: {error}", "Try again.")
    except Exception as error:
        return _lost(
            "note",
            f"Its script does not load ({plain(error)}): the page shows its own form instead",
            f"Look whether {urlsplit(url).netloc} can be reached, {_SWITCH_OFF}",
        )
    return _judge(reply, url, origins, origin)


def _lost(level: str, what: str, do: str) -> DialogScript:
    return DialogScript(Finding("dialog", "broken" if level == "broken" else "note", what, do))


def _judge(reply: Reply, url: str, origins: list[str], origin: str) -> DialogScript:
    host = urlsplit(url).netloc
    if reply.status == 200 and "javascript" in reply.kind and reply.body.strip():
        addresses = _ADDRESS.findall(reply.text.replace("\\/", "/"))
        posts_to = next((host for host, path in addresses if ERROR_PAGE_PATH in path), "")
        where = f" Its form goes to {posts_to}" if posts_to and posts_to not in origins else ""
        asked = f"for {origin}" if origin else "for a page of any origin"
        return DialogScript(
            Finding("dialog", "ok", f"Its script loads from {host} {asked}.{where}".rstrip(".")),
            tuple(dict.fromkeys(origins)),
            posts_to,
        )
    if reply.status == 403 and origin:
        return _lost(
            "broken",
            f"The project does not allow pages of {origin}: its dialog does not open, and words"
            " by form are refused",
            "Add the app's host to the project's Allowed Domains, in its settings at the server.",
        )
    if reply.status == 403:
        return _lost(
            "note",
            "The project allows pages of certain domains alone, and the app's is not known here",
            "Name the app's address: flask sentry-kit check --url https://…",
        )
    if reply.status == 404 and b'"dsn"' in reply.body:
        return _lost(
            "broken",
            "The server does not know the DSN's public key or project",
            "Copy the DSN again from the project's settings (Client Keys).",
        )
    if reply.status in (404, 405, 410) or not reply.body.strip():
        return _lost(
            "note",
            f"{host} has no hosted dialog ({reply.status}): the page shows its own form instead",
            "Set SENTRY_KIT_SERVER to the server that it is, " + _SWITCH_OFF,
        )
    return _lost(
        "note",
        f"Its script does not load ({host} answers {reply.status}): the page shows its own form"
        " instead",
        f"Look at the server's log, {_SWITCH_OFF}",
    )
