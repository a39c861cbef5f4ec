"""Files that came with an event: pictures and text are shown, and nothing in a file can run."""

from __future__ import annotations

import itertools
import re

import pytest

from flask_sentry_kit.inbox.storage.attachment_table import Attachment
from tests.support.inbox import RunningInbox

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
HTML = b"<!doctype html><script>alert(1)</script>"


NUMBERS = itertools.count(1)


def attach(inbox: RunningInbox, *files: tuple[str, str, bytes]) -> tuple[str, list[str]]:
    """Add files to a new event. Returns its page, and their addresses."""
    event_id = f"{next(NUMBERS):032x}"
    inbox.store(inbox.event(event_id))
    store = inbox.server.app.extensions["sentry_kit_inbox"].store
    store.add_attachments(event_id, [Attachment(*file) for file in files])
    page = inbox.request("GET", f"/events/{event_id}/").data.decode()
    return page, re.findall(rf'<a href="(/events/{event_id}/attachments/\d+)"', page)


def test_pictures_and_texts_are_shown(shared: RunningInbox) -> None:
    """With name, type and size; all can be saved."""
    page, addresses = attach(
        shared,
        ("shot.png", "image/png", PNG),
        ("app.log", "text/plain", "é <b>line</b>\n".encode()),
        ("data.bin", "application/octet-stream", b"\0" * 3_000),
    )
    assert f'<img src="{addresses[0]}"' in page
    assert "é &lt;b&gt;line&lt;/b&gt;" in page
    for shown in ("shot.png", "image/png", "28 Bytes", "3.0 kB"):
        assert shown in page
    assert [shared.request("GET", one).data for one in addresses] == [
        PNG, "é <b>line</b>\n".encode(), b"\0" * 3_000,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind", "data"),
    [
        ("a.svg", "image/svg+xml", SVG),
        ("a.html", "text/html", HTML),
        ("a.png", "image/png", HTML),
        ("a.png", "image/png", b" " + PNG),
        ("a.pdf", "application/pdf", b"%PDF-1.7"),
        ("a.js", "text/javascript", b"alert(1)"),
        ("a.xhtml", "application/xhtml+xml", HTML),
        ("a", "text/html\r\nX-Evil: 1", HTML),
        ("../../\r\nX-Evil: 1\".html", "", HTML),
        ("", "multipart/x-mixed-replace", HTML),
    ],
)  # fmt: skip
def test_what_could_run_is_only_saved(
    shared: RunningInbox, name: str, kind: str, data: bytes
) -> None:
    """Whatever its name and type say: as bytes, in a sandbox, with a name that is no path."""
    page, (address,) = attach(shared, (name, kind, data))
    assert "<img" not in page and "<svg xmlns" not in page and "<script>alert" not in page
    headers = shared.request("GET", address).headers
    assert headers["Content-Type"] == "application/octet-stream"
    assert re.fullmatch(
        r"attachment; filename\*=UTF-8''[\w.%-]+", headers["Content-Disposition"]
    ) and not {"%2F", "%0D", "%5C"} & set(re.findall("%..", headers["Content-Disposition"]))
    assert "sandbox" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "X-Evil" not in headers


def test_a_picture_has_a_policy_of_its_own(shared: RunningInbox) -> None:
    """Also where it is opened alone."""
    _, (address,) = attach(shared, ("shot.gif", "text/html", b"GIF89a" + HTML))
    headers = shared.request("GET", address).headers
    assert headers["Content-Type"] == "image/gif"
    assert headers["Content-Disposition"] == "inline; filename*=UTF-8''shot.gif"
    assert "sandbox" in headers["Content-Security-Policy"]


def test_a_long_text_is_cut(shared: RunningInbox) -> None:
    """The page stays small, and says how much there is."""
    page, _ = attach(shared, *[(f"{n}.log", "text/plain", b"%d" % n * 200_000) for n in range(9)])
    assert len(page) < 200_000
    assert "190,000 more characters" in page


@pytest.mark.parametrize("number", ["0", "99", "99999999999999999999999", "x"])
def test_what_is_not_there_is_404(shared: RunningInbox, number: str) -> None:
    """Also an attachment of another event."""
    _, (address,) = attach(shared, ("a.png", "image/png", PNG))
    event_id = address.split("/")[2]
    assert shared.request("GET", f"/events/{event_id}/attachments/{number}").status == 404
    other = address.replace(event_id, f"{1:032x}")
    assert shared.request("GET", other).status == 404
