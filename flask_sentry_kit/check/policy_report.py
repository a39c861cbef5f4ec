"""Which parts of a crash page the app's Content-Security-Policy blocks, by the headers it sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from ..kit import Kit
from .dialog_script import DialogScript
from .finding import Finding
from .markup import Markup
from .policy import DIRECTIVES, Part, Policy, read_policies
from .rehearsal import Rehearsal

_SOURCES: Final = "csp_sources(app) gives the sources that the dialog needs."


def look_at_policies(
    found: Rehearsal, markup: Markup, kit: Kit, dialog: DialogScript | None, *, form: bool
) -> list[Finding]:
    """The findings about one page.

    :param dialog: what is known of the hosted dialog; None if there is none.
    :param form: whether the page has the kit's form.
    """
    policies = read_policies(found.headers.items(), markup.meta)
    if not any(policy.directives.keys() - {"frame-ancestors"} for policy in policies):
        return []
    needed = list(_needed(found, markup, kit, dialog, form=form))
    findings = []
    for enforced in (True, False):
        blocked = _blocked([one for one in policies if one.enforced is enforced], needed, found)
        if blocked and enforced:
            findings.append(
                Finding("policy", "note", f"It blocks {_list(blocked)}", _advice(blocked))
            )
        elif blocked:
            findings.append(
                Finding(
                    "policy",
                    "note",
                    f"The report-only policy blocks nothing, but would block {_list(blocked)}",
                    _advice(blocked),
                )
            )
    findings += _special(policies, markup, kit.settings.raven_js.sentry_browser, form)
    if not findings:
        findings.append(Finding("policy", "ok", "It blocks nothing of the page"))
    return findings


def _needed(
    found: Rehearsal, markup: Markup, kit: Kit, dialog: DialogScript | None, *, form: bool
) -> Iterable[tuple[str, Part, str]]:
    """What the page needs: a name for it, the part, and the source that would allow it."""
    for part in markup.parts:
        where = _origin(part.url, found.address)
        if part.kind == "script":
            yield f"the script {_path(part.url, found.address)}", part, where
        elif part.kind == "style":
            yield f"the stylesheet {_path(part.url, found.address)}", part, where
        elif part.kind == "inline script" and "showReportDialog" in part.text:
            yield "the inline script that opens the dialog", part, "a nonce"
    if markup.opens_dialog and kit.dsn is not None:
        origins = kit.dsn.dialog_origins if dialog is None else list(dialog.scripts)
        target = dialog.posts_to if dialog is not None else ""
        for origin in origins:
            yield f"the dialog's script from {origin}", _added(origin), origin
        for origin in dict.fromkeys([*origins, *([target] if target else [])]):
            yield f"what the dialog sends to {origin}", Part("connect", f"{origin}/api/"), origin
        if origins:
            yield "the dialog's styles", Part("inline style", text="."), "'unsafe-inline'"
            yield "the dialog's picture", Part("image", "data:image/png,"), "data:"
    if form:
        address = urljoin(found.address, f"{kit.prefix}/feedback")
        yield "the form", Part("form", address), "'self'"


def _added(origin: str) -> Part:
    return Part("script", f"{origin}/api/", by_script=True)


def _origin(url: str, page: str) -> str:
    if not url:
        return "a nonce"
    parts, own = urlsplit(url), urlsplit(page)
    return "'self'" if parts[:2] == own[:2] else f"{parts.scheme}://{parts.netloc}"


def _path(url: str, page: str) -> str:
    return urlsplit(url).path if _origin(url, page) == "'self'" else url


@dataclass(frozen=True, slots=True)
class Blocked:
    """A part of the page that a policy blocks."""

    name: str
    by: str
    """The directive that blocks it."""
    allow_in: str
    """The directive to allow it in: never default-src, which would open more than is needed."""
    source: str


def _blocked(
    policies: Iterable[Policy], needed: list[tuple[str, Part, str]], found: Rehearsal
) -> list[Blocked]:
    blocked: dict[str, Blocked] = {}
    for policy in policies:
        for name, part, source in needed:
            by = policy.blocked_by(part, found.address)
            if by is not None:
                # The last but one is the directive that every browser knows.
                allow_in = DIRECTIVES[part.kind][-2] if by == "default-src" else by
                blocked.setdefault(name, Blocked(name, by, allow_in, source))
    return list(blocked.values())


def _list(blocked: list[Blocked]) -> str:
    return "; ".join(f"{one.name} ({one.by})" for one in blocked)


def _advice(blocked: list[Blocked]) -> str:
    wanted: dict[str, list[str]] = {}
    for one in blocked:
        sources = wanted.setdefault(one.allow_in, [])
        if one.source not in sources:
            sources.append(one.source)
    parts = [f"{name}: {', '.join(sources)}" for name, sources in wanted.items()]
    return f"Allow in {'; '.join(parts)}. {_SOURCES}"


def _special(
    policies: list[Policy], markup: Markup, sentry_browser: bool, form: bool
) -> Iterable[Finding]:
    for policy in policies:
        sandbox = policy.sandbox
        if sandbox is not None and (markup.opens_dialog or form):
            lacking = [one for one in ("allow-scripts", "allow-forms") if one not in sandbox]
            if lacking:
                yield Finding(
                    "policy",
                    "note",
                    f"Its sandbox lacks {' and '.join(lacking)}: dialog or form do not work",
                    f"Allow {' and '.join(lacking)} on the crash page, or leave the sandbox out.",
                )
        names = policy.trusted_types if policy.enforced else None
        if names is not None and markup.opens_dialog and sentry_browser:
            yield Finding(
                "policy",
                "note",
                "It requires Trusted Types, which @sentry/browser does not know: the hosted dialog"
                " opens only with a policy of the app's that is named default; the page's form"
                " works",
                "Try the dialog in a browser, or set SENTRY_KIT_DIALOG = False.",
            )
        elif names is not None and markup.opens_dialog:
            advice = "Allow the policy in trusted-types: sentry-kit. " if names else ""
            if names and "sentry-kit" in names:
                advice = ""
            yield Finding(
                "policy",
                "note",
                "It requires Trusted Types: the hosted dialog's own script may fail under it; the"
                " page's form works",
                f"{advice}Try the dialog in a browser, or set SENTRY_KIT_DIALOG = False.",
            )
