"""`make demo`: the program itself, from start to Ctrl-C."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from demo_app import create_app

ROOT = Path(__file__).resolve().parents[2]


def test_shop_and_inbox_answer_at_the_addresses_it_prints(own_demo: Any) -> None:
    """Both addresses can be opened, and the shop links to the inbox."""
    with urlopen(own_demo.shop, timeout=10) as answer:
        assert answer.status == 200
        assert f'href="{own_demo.inbox.url}"' in answer.read().decode()
    with urlopen(own_demo.inbox.url, timeout=10) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_it_stops_cleanly(own_demo: Any, how: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end shop and inbox, with status 0, no traceback, and free ports."""
    status, stderr = own_demo.stop(how)
    assert (status, stderr) == (0, "")
    for url in (own_demo.shop, own_demo.inbox.url):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=5)


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


def test_it_says_which_page_to_open_first() -> None:
    """The page with the ways to break it, which each page's navigation leads to as well."""
    with subprocess.Popen(
        [sys.executable, "-m", "demo_app", "--port", "0", "--inbox-port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            found = None
            for line in process.stdout:
                if found := re.match(r"Open (http\S+/break) first", line):
                    break
            assert found
            with urlopen(found[1], timeout=10) as answer:
                page = answer.read().decode()
        finally:
            process.terminate()
    assert page.count('href="/break"') == 1
    assert page.index("<nav") < page.index('href="/break"') < page.index("</nav>")


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/account", "/account"),
        ("/product/ink?from=mail", "/product/ink?from=mail"),
        ("", "/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
    ],
)
def test_signing_in_leads_to_where_one_wanted_to_go(wanted: str, reached: str) -> None:
    """To the page that asked for it, and never to another host."""
    client = create_app().test_client()
    form = {"email": "ada@example.com", "password": "analytical"}
    answer = client.post("/sign-in", query_string={"next": wanted}, data=form)
    assert answer.headers["Location"] == reached


def test_the_account_asks_to_sign_in_and_is_what_comes_next() -> None:
    client = create_app().test_client()
    asked = client.get("/account").headers["Location"]
    form = {"email": "ada@example.com", "password": "analytical"}
    assert client.post(asked, data=form).headers["Location"] == "/account"


def test_an_order_without_voucher_goes_through_and_mends_the_account() -> None:
    """A customer with an order has an account page: the fault is only in the empty case."""
    client = create_app().test_client()
    client.post("/sign-in", data={"email": "ada@example.com", "password": "analytical"})
    client.post("/basket", data={"product": "notebook"})
    assert "£18.00" in client.post("/checkout", data={"voucher": ""}).text
    assert "£18.00" in client.get("/account").text
