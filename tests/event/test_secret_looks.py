"""Secrets that are recognised without a name, and numbers and words that are not secrets."""

from __future__ import annotations

import random

import pytest

from flask_sentry_kit.event.card_numbers import is_card
from flask_sentry_kit.event.scrub import MASK, Scrubber
from flask_sentry_kit.event.serialize import Serializer

LOOKS = r"""
paid 4111111111111111 now
paid 4111 1111 1111 1111.
5555555555554444
378282246310005
3782 822463 10005
30569309025904
6011111111111117
3530111333300000
6200000000000005
4222222222222
2223003122003222
eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc
eyJhIjoxfQ.ZwPq3A.x
x https://u:pa/ss@host/x
https://TOKEN12345@host/a
postgres://u:p@ss@db/shop
redis://:hunter2@localhost/0
https://ghp_abcdefghijklmnopqrstuvwxyz0123456789@github.com/x
u:hunter2@db.local:5432/x
scott/tiger9@db:1521/x
-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----
AKIAIOSFODNN7EXAMPLE
ghp_abcdefghijklmnopqrstuvwxyz0123456789
glpat-abcdefghijklmnopqrst
xoxb-123456789012-abcdefghij
https://hooks.slack.com/services/T000/B000/XXXXXXXX
sk_live_abcdefghijklmnop
AIzaSyA1234567890abcdefghijklmnopqrstuvwx
SG.abcdefghijklmnopqrstuv.abcdefghijklmnop
npm_abcdefghijklmnopqrstuvwxyz0123456789
sk-proj-abcdefghijklmnopqrst
sk-ant-api03-abcdefghijkl
pypi-AgEIcHlwaS5vcmcabcdef
SK0123456789abcdef0123456789abcdef
0123456789abcdef0123456789abcdef-us12
shpat_0123456789abcdef
dop_v1_0123456789abcdef0123
hf_abcdefghijklmnopqrst
123456789:AAabcdefghijklmnopqrstuvwxyz012345
whsec_abcdefghijkl
scrypt:32768:8:1$salt$abcdef0123
pbkdf2:sha256:600000$abc$0123456789abcdef
$2b$12$abcdefghijklmnopqrstuv
$argon2id$v=19$m=65536,t=3,p=4$abc$def
$6$salt$hashhashhash
pbkdf2_sha256$260000$abc$def=
got Bearer Zq9xhunter2 x
Basic dXNlcjpwYXNz
the password is hunter2
your verification code is 123456
PIN 4321
invalid token 9f8e7d6c5b4a
https://discord.com/api/webhooks/123/abcDEF
hvs.CAESIabcdefghijklmnop
""".strip().split("\n")

HARMLESS = r"""
the basic requirements are
Basic requirements
bearer of bad news
Bearer authentication failed
Unexpected token: x
Unexpected token '<'
the password is wrong
password must be 8 characters
http://localhost:8080/@user
https://example.org/a@b.com
mailto:joe@example.org
https://git@github.com/x.git
user:joe@example.org
order 4111111111111111
1763600000000
1763600000123456
/usr/lib/python3.12/site-packages/flask/app.py
No module named 'shop.tokens'
keyboard interrupt pressed
2026-11-22 08:00:00,123 INFO shop: ready
https://example.org/users/5?page=2
session closed unexpectedly
eyes on the prize and eyebrows
key error in dictionary
0.4111111111111111
ISBN 978-3-16-148410-0
flask_sentry_kit.event.secret_looks
test_what_is_no_secret_stays_readable
550e8400-e29b-41d4-a716-446655440000
secret santa exchange
d41d8cd98f00b204e9800998ecf8427e
sk-learn-compatible
test_something_very_long_name_with_words_here
heavy keynote eyJ
password reset email sent
tokens expired yesterday
function signature mismatch
live_reload_of_something_interesting_here
""".strip().split("\n")

_scrubber = Scrubber()


@pytest.mark.parametrize("text", LOOKS)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    """Cards, tokens by their makers' prefixes, keys, hashes, passwords in addresses."""
    assert MASK in _scrubber.text(f"got {text} here")


@pytest.mark.parametrize("text", HARMLESS)
def test_what_looks_harmless_is_shown(text: str) -> None:
    """Prose, paths, ids and numbers keep their form."""
    assert _scrubber.text(text) == text


def test_of_a_private_key_nothing_is_left() -> None:
    """All between the two lines is masked, also where the last one was cut away."""
    key = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\nAwEHoUQD\n"
    assert "MHc" not in _scrubber.text(key)
    assert _scrubber.text(f"{key}-----END EC PRIVATE KEY-----\nok").endswith("-----\nok")


def test_cards_are_masked_as_numbers_too() -> None:
    """A card number as an int is masked, a timestamp as an int is not."""
    assert Serializer(_scrubber).value({"n": 4111111111111111}) == {"n": MASK}
    assert Serializer(_scrubber).value({"n": 1763600000000}) == {"n": 1763600000000}


@pytest.mark.parametrize(
    "number", ["4111111111111", "411111111111111", "1111111111111111", "9111111111111112"]
)
def test_a_card_begins_and_is_as_long_as_its_issuers(number: str) -> None:
    """A correct check digit alone does not make a number a card number."""
    assert not is_card(number)


def _ean(rng: random.Random) -> str:
    digits = f"{rng.randrange(10**11, 10**12)}"
    total = sum(int(char) * (1 + 2 * (place % 2)) for place, char in enumerate(digits))
    return f"{digits}{-total % 10}"


def test_harmless_numbers_are_hardly_ever_taken_for_cards() -> None:
    """Of timestamps, ids, order numbers and EANs at most 1.5 in 100 are masked."""
    rng = random.Random(8)
    masked = 0
    for _ in range(500):
        for number in (
            str(rng.randrange(1_500_000_000_000, 1_900_000_000_000)),
            str(rng.randrange(1_500_000_000_000_000, 1_900_000_000_000_000)),
            _ean(rng),
            str(rng.randrange(10**12, 10**13)),
            str(rng.randrange(10**15, 10**16)),
            str(rng.randrange(10**17, 10**19)),
        ):
            masked += MASK in _scrubber.text(f"item {number} failed")
    assert masked <= 0.015 * 3000
