"""Our loader held against the real raven-js 3.27.2, in a real browser: same options, same address.

Two differences are meant, and tested as such: a path prefix in the DSN is kept, as
@sentry/browser keeps it, and DSNs that ``Dsn`` takes but raven-js's pattern does not (IPv6
hosts, a hyphen in the key) work.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
LOADER = ROOT / "flask_sentry_kit/static/dialog.js"
RAVEN_JS = ROOT / "tests/js/node_modules/raven-js/dist/raven.js"

# Where both scripts put their element, it is caught instead: no example waits for a network.
HARNESS = """
() => {
  const caught = [];
  document.head.appendChild = (node) => { caught.push(node); return node; };
  window.answer = (Raven, options) => {
    caught.length = 0;
    try {
      Raven.showReportDialog(options);
    } catch (error) {
      const said = /^Missing/.test(error.message) ? error.message : "";
      return { threw: error.name, said, isError: error instanceof Error };
    }
    return caught.map((node) => [node.tagName, node.async, node.getAttribute("src")]);
  };
}
"""

Answers = Callable[[list[Any]], list[list[Any]]]


@pytest.fixture(scope="module")
def answers(chromium: Any) -> Iterator[Answers]:
    """Calls both scripts with each of a list of options; returns pairs of raven-js's and ours."""
    assert RAVEN_JS.exists(), "raven-js is missing: `make test` brings it (npm ci)"
    page = chromium.new_page()
    page.add_script_tag(content=RAVEN_JS.read_text("utf-8"))
    page.evaluate("() => { window.theirs = window.Raven; delete window.Raven; }")
    page.add_script_tag(content=LOADER.read_text("utf-8"))
    page.evaluate("() => { window.ours = window.Raven; }")
    assert page.evaluate("window.theirs !== window.ours && theirs.VERSION === '3.27.2'")
    page.evaluate(HARNESS)
    yield lambda batch: page.evaluate(
        "(batch) => batch.map((options) => [answer(theirs, options), answer(ours, options)])", batch
    )
    page.close()


word = st.text("abcdefXYZ0189_", min_size=1, max_size=6)
host = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,9}", fullmatch=True)
port = st.just("") | st.integers(1, 65535).map(":{}".format)
scheme = st.sampled_from(["http:", "https:", "http:", "https:", ""])
sound_dsn = st.builds("{}//{}@{}{}/{}".format, scheme, word, host, port, word)
dsn_with_secret = st.builds("{}//{}:{}@{}/{}".format, scheme, word, word, host, word)
no_dsn = st.sampled_from(
    ["", "sentry.example/1", "https://k@", "https://k:@h/1", "https://k@h", "x"]
)
scalar = (
    st.text(max_size=8) | st.integers(-(10**9), 10**9) | st.booleans() | st.none() | st.floats()
)
value = st.recursive(
    scalar, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(word, inner, max_size=2)
)
user = st.fixed_dictionaries({}, optional={"name": value, "email": value, "id": value}) | scalar
# raven-js takes options that have a "length" for a list and loses all of them.
name = (
    st.sampled_from(["title", "subtitle", "labelName", "lang", "successMessage", "name", "email"])
    | st.integers(0, 9).map(str)
    | st.text(min_size=1, max_size=8)
).filter(lambda key: key not in ("length", "eventId", "dsn", "user"))


@st.composite
def dialog_options(draw: st.DrawFn) -> Any:
    """Options as they come: mostly sound, some lacking or spoiling what is needed."""
    pairs: list[tuple[str, Any]] = list(draw(st.dictionaries(name, value, max_size=4)).items())
    event_id = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)
    dsn = st.one_of(sound_dsn, sound_dsn, sound_dsn, dsn_with_secret, no_dsn, scalar)
    pairs += draw(st.lists(st.tuples(st.just("eventId"), event_id | scalar), max_size=1))
    pairs += draw(st.lists(st.tuples(st.just("dsn"), dsn), max_size=1))
    pairs += draw(st.lists(st.tuples(st.just("user"), user), max_size=1))
    return dict(draw(st.permutations(pairs)))


sound_options = st.builds(
    lambda event, dsn, who, rest: {"dsn": dsn, **who, **rest, "eventId": event},
    st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    sound_dsn,
    st.dictionaries(st.just("user"), st.dictionaries(st.sampled_from(["name", "email"]), value)),
    st.dictionaries(name, value, max_size=4),
)


# A failure names the one pair of options in its batch; shrinking batches would take minutes.
BATCHES = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@settings(BATCHES, max_examples=25)
@given(st.lists(dialog_options() | sound_options | scalar, min_size=20, max_size=60))
def test_same_options_give_the_same_address(answers: Answers, batch: list[Any]) -> None:
    """Whatever raven-js does with some options, ours does: one script, its address, or a throw."""
    for options, (theirs, ours) in zip(batch, answers(batch), strict=True):
        assert ours == theirs, options


@settings(BATCHES, max_examples=10)
@given(st.lists(st.tuples(sound_options, st.lists(word, min_size=1, max_size=3)), min_size=10))
def test_a_path_prefix_is_kept(answers: Answers, batch: list[Any]) -> None:
    """A prefix in the DSN goes in front of /api/, and nothing else changes."""
    prefixed = []
    for options, path in batch:
        head, _, project = options["dsn"].rpartition("/")
        prefixed.append(options | {"dsn": "/".join([head, *path, project])})
    for (_, path), (theirs, ours) in zip(batch, answers(prefixed), strict=True):
        [[_, _, plain]] = theirs
        [[_, _, kept]] = ours
        assert kept == plain.replace("/api/embed/", f"/{'/'.join(path)}/api/embed/", 1)


def test_the_strategies_reach_the_address(answers: Answers) -> None:
    """A plain crash's options lead both scripts to the address Sentry's servers answer."""
    options = {
        "eventId": "a" * 32,
        "dsn": "https://key@sentry.example:9000/7",
        "user": {"name": "Zoë & co", "email": "zoe@shop.example"},
        "title": "What's up?",
    }
    address = (
        "https://sentry.example:9000/api/embed/error-page/?eventId="
        + "a" * 32
        + "&dsn=https%3A%2F%2F"
        "key%40sentry.example%3A9000%2F7&name=Zo%C3%AB%20%26%20co&email=zoe%40shop.example"
        "&title=What's%20up%3F"
    )
    assert answers([options]) == [[[["SCRIPT", True, address]]] * 2]


@pytest.mark.parametrize(
    ("dsn", "where"),
    [
        ("http://key@[::1]:9000/7", "http://[::1]:9000/api/embed/error-page/"),
        ("https://key-1@sentry.example/7", "https://sentry.example/api/embed/error-page/"),
    ],
)
def test_dsns_that_raven_js_refuses_work(answers: Answers, dsn: str, where: str) -> None:
    """What the server takes for a DSN, the page can use."""
    [[theirs, [[_, _, address]]]] = answers([{"eventId": "a" * 32, "dsn": dsn}])
    assert theirs["threw"] == "RavenConfigError"
    assert address.split("?")[0] == where


def test_a_page_with_raven_keeps_it(chromium: Any) -> None:
    """The loader steps aside for a Raven that is there already."""
    page = chromium.new_page()
    page.evaluate("() => { window.Raven = { mine: true }; }")
    page.add_script_tag(content=LOADER.read_text("utf-8"))
    assert page.evaluate("window.Raven") == {"mine": True}
    page.close()


def test_the_loader_is_small() -> None:
    """The loader's part of the file stays under 1 kB gzipped, comments and all."""
    text = LOADER.read_text("utf-8")
    loader, form = re.split(r"(?=\n\n  // Watches the dialog, )", text)
    assert "showReportDialog" in loader and "fetch" in form
    assert len(gzip.compress(loader.encode(), 9)) < 1000
