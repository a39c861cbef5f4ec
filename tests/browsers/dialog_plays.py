"""More plays, below those of ``plays``: the inbox's dialog over pages of any app's."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Flask, Response

from tests.matrix.visitor import Words

from . import plays  # noqa: F401  # its plays come first
from .book import Tab, play
from .plays import OPEN, check, fill
from .scene import Scene

EVENT_ID = "0123456789abcdef0123456789abcdef"
SENT = "return Boolean(document.querySelector('.message-success'))"
STRICT = (
    "default-src 'none'; script-src 'unsafe-inline' {0}; connect-src {0};"
    " require-trusted-types-for 'script'"
)


def _source(scene: Scene) -> str:
    query = urlencode({"eventId": EVENT_ID, "dsn": scene.sentry.dsn.replace(":hidden", "")})
    return f"{scene.sentry.origin}/api/embed/error-page/?{query}"


def _page(scene: Scene, html: str, policy: str = "") -> str:
    """The address of a page, in which ``[dialog]`` becomes the dialog's script."""
    app = Flask("pages")
    script = f'<script src="{_source(scene).replace("&", "&amp;")}"></script>'
    page = f"<!doctype html><html lang=en><title>500</title>{html.replace('[dialog]', script)}"

    @app.get("/")
    def show() -> Response:
        return Response(page, headers={"Content-Security-Policy": policy} if policy else {})

    return scene.serve(app)


@play("dialog's focus")
def focus(scene: Scene, tab: Tab) -> None:
    """The Tab key comes to no control of the page. Escape closes, also where the page prevents
    that, and the focus is near to where it was, though its element has gone."""
    scene.sentry.start()
    tab.open(
        _page(
            scene,
            "<body><button>First</button><p id=box><button id=it>A</button></p>"
            "<button id=next>B</button><script>it.focus(); addEventListener('keydown',"
            " (event) => event.key === 'Escape' && event.preventDefault(), true);</script>"
            "[dialog]<script>it.remove()</script>",
        )
    )
    tab.until(OPEN)
    stops = []
    for _ in range(6):
        stops.append(tab.focus())
        tab.press("Tab")
    names = ["textarea comments", "input name", "input email", "button submit", "button button"]
    check(stops[:5] == names, f"the Tab key comes to {stops}")
    check("button A" not in stops and "button First" not in stops, f"it leaves the dialog: {stops}")
    tab.press("Escape")
    tab.until(f"return !({OPEN[7:]})")
    tab.until("return focused()?.id === 'box'")
    tab.press("Tab")
    tab.until("return focused()?.id === 'next'")


@play("dialog without focus before")
def no_focus(scene: Scene, tab: Tab) -> None:
    """Where nothing had the focus, the Tab key starts at the page's top again."""
    scene.sentry.start()
    tab.open(_page(scene, "<body><button id=first>A</button><button>B</button>[dialog]"))
    tab.until(OPEN)
    tab.press("Escape")
    tab.until(f"return !({OPEN[7:]})")
    tab.press("Tab")
    tab.until("return focused()?.id === 'first'")


@play("dialog's shortcuts")
def shortcuts(scene: Scene, tab: Tab) -> None:
    """What is typed is in the field, and none of the page's shortcuts takes it."""
    scene.sentry.start()
    take = "(e) => { keys.push(e.key); e.preventDefault(); }"
    tab.open(
        _page(
            scene,
            f"<body><script>keys = []; document.addEventListener('keydown', {take}, true);"
            f"addEventListener('keypress', {take});</script>[dialog]",
        )
    )
    tab.until(OPEN)
    tab.write("j/s")
    tab.holds("dialog [name=comments]", "j/s")
    check(tab.run("return keys") == [], "the page's shortcuts react")


@play("dialog under a policy")
def policy(scene: Scene, tab: Tab) -> None:
    """With no style-src and with Trusted Types it is styled, over the page's own dialog, and sends;
    the message comes once it closes."""
    words = Words("I pressed pay", name="", email="")
    scene.sentry.start()
    tab.open(
        _page(
            scene,
            "<body><dialog id=own>Own</dialog><script>own.showModal(); said = [];"
            "addEventListener('message', (e) => said.push(e.data));</script>[dialog]",
            STRICT.replace("{0}", scene.sentry.origin),
        )
    )
    tab.until("return Boolean(find('dialog .send'))")
    radius = tab.run("return getComputedStyle(find('dialog .send').closest('dialog')).borderRadius")
    check(radius == "8px", f"it is not styled: {radius}")
    tab.write(words.comments)
    tab.click("dialog .send")
    tab.until(SENT)
    tab.press("Enter")
    tab.until("return said.length === 1 && said[0] === '__sentry_reportdialog_closed__'")
    check(tab.run("return own.open"), "the page's own dialog is closed")


@play("dialog in a sandbox")
def sandbox(scene: Scene, tab: Tab) -> None:
    """A page without forms sends by click and by the Enter key."""
    scene.sentry.start()
    tab.open(_page(scene, "<body>[dialog]", "sandbox allow-scripts"))
    tab.until(OPEN)
    fill(tab, "dialog", Words("I pressed pay"))
    tab.press("Enter")
    tab.until(SENT)


@play("dialog and styles")
def styles(scene: Scene, tab: Tab) -> None:
    """A page that hides all it can, and zooms, has the dialog inside its window."""
    scene.sentry.start()
    for style in (
        "* { all: unset !important; display: none !important } html { display: block !important }",
        "html { font-size: 5px; zoom: 2 } body > * { transform: scale(0.1); z-index: 2147483647 }",
    ):
        tab.open(_page(scene, f"<style>{style}</style><body>[dialog]"))
        tab.until(OPEN)
        box = tab.run(
            "const it = find('dialog'), box = it.getBoundingClientRect();"
            " return [box.x >= 0, box.right <= innerWidth, box.y >= 0, box.bottom <= innerHeight,"
            " getComputedStyle(it).color, box.width > 100]"
        )
        check(box == [True] * 4 + ["rgb(28, 31, 36)", True], f"{style}: {box}")
