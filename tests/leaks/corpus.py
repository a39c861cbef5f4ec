"""What is planted: secrets that their name or their looks give away, odd names, harmless values.

Values are made anew from a seed, so no provider's scanner takes this file for a leak itself.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .places import LOOKS_PLACES, PLACES, TEXT_PLACES

CLASSES: Final = ("name", "looks", "odd", "harmless name", "harmless number")


@dataclass(frozen=True)
class Planted:
    """One value under one name at one place of a crashing app."""

    kind: str
    """One of ``CLASSES``; of the last two a value must arrive, of the others it must not."""
    name: str
    value: str
    place: str


_NAMES: Final = """
password passwd passphrase secret token api_key apiKey X-Api-Key access_token
refresh_token client_secret Authorization session_token csrf_token auth_token
private_key secret_key SECRET_KEY DB_PASSWORD userPassword new_password
password_confirmation old_password pwd user_pw pin_code otp cvv card_number creditCard
iban ssn jwt bearer_token id_token aws_secret_access_key smtp_password MYSQL_PWD
credentials credential access_key AccessKey signing_key encryption_key webhook_secret
Stripe-Signature X-Hub-Signature-256 one_time_code recovery_code backup_code reset_token
verification_code invite_token mnemonic security_answer account_number routing_number
creds Proxy-Authorization X-Auth-Token master_password passcode security_code
remember_token
""".split()

_ODD: Final = """
pat code_verifier SAMLResponse mot_de_passe contraseña Passwort wachtwoord hasło
lösenord senha пароль 密码 パスワード 비밀번호 kennwort salasana jelszó heslo geheimnis
clave_secreta tax_number steuernummer seed_phrase recovery_phrase magic_link session_key
hmac_key HMACKey signature X-Twilio-Signature Ocp-Apim-Subscription-Key subscription_key
DSN sentry_dsn connection_string database_url pepper salt api_hash bot_key license_key
product_key pre_shared_key wifi_psk unlock_code door_code puk tan mothers_maiden_name
ldap_bind_pw keystore_pass totp_seed private_pem rsa_private x_csrf
""".split()

_HARMLESS: Final = """
max_tokens token_type card_count gift_card_design password_changed_at cookie_consent
keyboard monkey primary_key foreign_key sort_key author authority compass passenger
passage bypass pinned spinner opinion shipping pancake company expand panel discard
cardinal cardboard postcard_id secretary tokenizer session_length code_of_conduct
error_code status_code country_code postal_code currency_code key_count cache_key_prefix
password_policy password_min_length login_attempts requires_password has_token
signed_up_at assignment design designer resign hotkeys keynote turkey hockey whiskey
jockey donkey keypad_layout monkeypatch passive passport_country basic_plan basics
state_of_order
""".split()


def _word(rng: random.Random, letters: str, length: int) -> str:
    return "".join(rng.choice(letters) for _ in range(length))


def _secret_value(rng: random.Random, place: str) -> str:
    simple = string.ascii_letters + string.digits
    made = rng.choice(
        (
            lambda: _word(rng, simple, rng.randint(10, 24)),
            lambda: "Correct7-" + _word(rng, string.ascii_lowercase, 6) + "-Battery",
            lambda: _word(rng, string.hexdigits.lower(), 32),
            lambda: _word(rng, simple, 6) + "_" + _word(rng, simple, 6) + "!x9",
        )
    )()
    return f"{made}{rng.randint(10, 99)}"


def _luhn(rng: random.Random) -> str:
    digits = "4" + _word(rng, string.digits, 14)
    for check in string.digits:
        total = 0
        for at, char in enumerate(reversed(digits + check)):
            number = int(char) * (1 + at % 2)
            total += number - 9 if number > 9 else number
        if total % 10 == 0:
            return digits + check
    raise AssertionError


_ALNUM: Final = string.ascii_letters + string.digits
_UPPER: Final = string.ascii_uppercase + string.digits
_HEX: Final = "0123456789abcdef"

_LOOKS: Final[tuple[Callable[[random.Random], str], ...]] = (
    lambda r: "AKIA" + _word(r, _UPPER, 16),
    lambda r: "ghp_" + _word(r, _ALNUM, 36),
    lambda r: "github_pat_" + _word(r, _ALNUM, 60),
    lambda r: "glpat-" + _word(r, _ALNUM, 20),
    lambda r: "xoxb-" + _word(r, string.digits, 12) + "-" + _word(r, _ALNUM, 24),
    lambda r: (
        f"https://hooks.slack.com/services/T{_word(r, _UPPER, 8)}/B{_word(r, _UPPER, 8)}/"
        + _word(r, _ALNUM, 24)
    ),
    lambda r: "sk_live_" + _word(r, _ALNUM, 24),
    lambda r: "AIza" + _word(r, _ALNUM, 35),
    lambda r: "SG." + _word(r, _ALNUM, 22) + "." + _word(r, _ALNUM, 43),
    lambda r: "npm_" + _word(r, _ALNUM, 36),
    lambda r: "sk-proj-" + _word(r, _ALNUM, 48),
    lambda r: "pypi-AgEIcHlwaS5vcmc" + _word(r, _ALNUM, 60),
    lambda r: f"eyJ{_word(r, _ALNUM, 20)}.eyJ{_word(r, _ALNUM, 30)}.{_word(r, _ALNUM, 30)}",
    lambda r: "Bearer " + _word(r, _ALNUM, 30),
    lambda r: f"postgresql://shop:{_word(r, _ALNUM, 14)}@db/shop",
    lambda r: f"https://{_word(r, _ALNUM, 30)}@git.example.org/shop.git",
    lambda r: "$2b$12$" + _word(r, _ALNUM, 53),
    lambda r: f"scrypt:32768:8:1${_word(r, _ALNUM, 16)}${_word(r, _HEX, 64)}",
    lambda r: f"pbkdf2:sha256:600000${_word(r, _ALNUM, 16)}${_word(r, _HEX, 64)}",
    lambda r: f"$argon2id$v=19$m=65536,t=3,p=4${_word(r, _ALNUM, 22)}${_word(r, _ALNUM, 43)}",
    _luhn,
)  # fmt: skip


def _marker(value: str) -> str:
    """The part of a planted value that says it came out: its longest random run."""
    runs = "".join(c if c.isalnum() else " " for c in value).split()
    return max(runs, key=len)


def marker(planted: Planted) -> str:
    """What is looked for in what arrived."""
    return _marker(planted.value) if planted.kind == "looks" else planted.value


def corpus(share: int = 1) -> list[Planted]:
    """All that is planted.

    :param share: one in so many, for a short run.
    """
    rng = random.Random(8)
    found: list[Planted] = []
    for n in range(288):
        place = PLACES[n % len(PLACES)]
        name = _NAMES[(n * 7 + n // len(PLACES)) % len(_NAMES)]
        found.append(Planted("name", name, _secret_value(rng, place), place))
    for n in range(84):
        place = LOOKS_PLACES[(n + n // len(LOOKS_PLACES)) % len(LOOKS_PLACES)]
        found.append(Planted("looks", "note", _LOOKS[n % len(_LOOKS)](rng), place))
    for n in range(120):
        place = TEXT_PLACES[(n + n // len(TEXT_PLACES)) % len(TEXT_PLACES)]
        found.append(Planted("odd", _ODD[n % len(_ODD)], _secret_value(rng, place), place))
    for n in range(136):
        place = TEXT_PLACES[(n + n // len(TEXT_PLACES)) % len(TEXT_PLACES)]
        value = f"plain{rng.randint(100, 999)}word"
        found.append(Planted("harmless name", _HARMLESS[n % len(_HARMLESS)], value, place))
    for n in range(200):
        value = str(
            (
                rng.randint(1_600_000_000_000, 1_900_000_000_000),  # milliseconds
                rng.randint(10**15, 10**16 - 1),  # an order
                rng.randint(4_000_000_000_000, 4_099_999_999_999),  # an EAN of Germany
                rng.randint(10**17, 10**18 - 1),  # a snowflake
            )[n % 4]
        )
        found.append(Planted("harmless number", "number", value, "message number"))
    return found[::share]
