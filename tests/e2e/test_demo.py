"""`make demo`: the program itself, from start to Ctrl-C."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from demo_app import create_app
from tests.support.demo import Demo

ROOT = Path(__file__).resolve().parents[2]


def test_shop_and_inbox_answer_at_the_addresses_it_prints(own_demo: Demo) -> None:
    """Both addresses can be opened, and the shop links to the inbox."""
    with urlopen(own_demo.shop, timeout=10) as answer:
        assert answer.status == 200
        assert f'href="{own_demo.inbox.url}"' in answer.read().decode()
    with urlopen(own_demo.inbox.url, timeout=10) as answer:
        assert answer.status == 200


def test_it_says_which_page_to_open_first(demo: Demo) -> None:
    """The first address it prints is the list of the ways to break the shop."""
    with urlopen(demo.first, timeout=10) as answer:
        assert "<h1>Ways to break this shop</h1>" in answer.read().decode()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_it_stops_cleanly(own_demo: Demo, how: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end shop and inbox, with status 0, no traceback, and free ports."""
    status, stderr = own_demo.stop(how)
    assert (status, stderr) == (0, "")
    for url in (own_demo.shop, own_demo.inbox.url):
        port = urlsplit(url).port
        assert port is not None
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)


@pytest.mark.parametrize("option", ["--port", "--inbox-port"])
def test_a_taken_port_is_said_plainly(option: str) -> None:
    """A port that somebody has is named, with the way to choose another, and no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"--port": "0", "--inbox-port": "0", option: str(port)}
        done = subprocess.run(
            [sys.executable, "-m", "demo_app", *(word for pair in ports.items() for word in pair)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert str(port) in done.stderr
    assert option.removeprefix("--").replace("-", "_").upper() in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "path", ["/", "/product/notebook", "/basket", "/sign-in", "/break", "/api/stock?product=twine"]
)
def test_what_is_not_meant_to_break_does_not(path: str) -> None:
    """The shop works but for its five faults."""
    assert create_app().test_client().get(path).status_code == 200


def test_an_order_without_voucher_goes_through_and_mends_the_account() -> None:
    """A customer with an order has an account page: the fault is only in the empty case."""
    client = create_app().test_client()
    client.post("/sign-in", data={"email": "ada@example.com", "password": "analytical"})
    client.post("/basket", data={"product": "notebook"})
    assert "£18.00" in client.post("/checkout", data={"voucher": ""}).text
    assert "£18.00" in client.get("/account").text


SIGN_IN = {"email": "ada@example.com", "password": "analytical"}


def signed_in_to(wanted: str) -> str:
    """Where the shop leads a customer who signs in on the way to this address."""
    client = create_app().test_client()
    return client.post("/sign-in", query_string={"next": wanted}, data=SIGN_IN).location


@pytest.mark.parametrize("wanted", ["/account", "/product/ink?from=list&page=2", "/"])
def test_signing_in_leads_where_one_wanted_to_go(wanted: str) -> None:
    """The address that asked for a customer is the one that opens after signing in."""
    assert signed_in_to(wanted) == wanted


def test_who_is_signed_in_is_not_asked_again() -> None:
    """Going back to the sign-in page after signing in leads to the front page, not to the crash."""
    client = create_app().test_client()
    client.post("/sign-in", data=SIGN_IN)
    assert client.get("/sign-in?next=/account").location == "/"


def test_a_wrong_password_does_not_lose_the_way() -> None:
    """Where one wanted to go survives a refused attempt: the form posts to its own address."""
    client = create_app().test_client()
    asked = client.get("/account").location
    refused = client.post(asked, data={**SIGN_IN, "password": "wrong"})
    assert refused.status_code == 401
    assert '<form class="fields" method="post">' in refused.text
    assert client.post(refused.request.full_path, data=SIGN_IN).location == "/account"


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "https://evil.example/",
        "//evil.example/",
        "///evil.example/",
        "/\\evil.example/",
        "\\\\evil.example/",
        "/\t/evil.example/",
        "/\n/evil.example/",
        " //evil.example/",
        "https:evil.example",
        "javascript:alert(1)",
        "account",
    ],
)
def test_signing_in_leads_to_no_other_host(wanted: str) -> None:
    """An address that a browser may read as another host's is passed over for the front page."""
    assert signed_in_to(wanted) == "/"


def test_the_crash_page_has_the_shops_own_accent() -> None:
    """The brand's accent is the colour of the shop's own stylesheet."""
    accent = create_app().config["SENTRY_KIT_BRAND"]["accent"]
    assert f"--accent: {accent};" in (ROOT / "demo_app/static/shop.css").read_text("utf-8")
