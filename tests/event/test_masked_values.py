"""A value masked for its name is masked everywhere else in the event, and nothing else is."""

from __future__ import annotations

import html
import json
import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pydantic
import pytest
import sqlalchemy
from flask import Flask, request

from flask_sentry_kit import sentry
from flask_sentry_kit.event.error_texts import named_parameters, without_named_values
from flask_sentry_kit.event.masked_values import VALUES_MAX, MaskedValues
from flask_sentry_kit.event.scrub import MASK, Scrubber
from flask_sentry_kit.event.serialize import Serializer

Make = Callable[..., Flask]
Crash = Callable[..., dict[str, Any]]

SECRET = "Zq9xhunter2"
_scrubber = Scrubber()


def _mask(event: dict[str, Any], *values: Any) -> dict[str, Any]:
    masked = MaskedValues()
    for value in values:
        masked.note(value)
    masked.mask(event)
    return event


def _app_that(make_app: Make, view: Callable[[], Any], **config: Any) -> Flask:
    app = make_app(**config)
    app.add_url_rule("/view", "view", view, methods=["GET", "POST"])
    return app


def test_a_value_is_masked_everywhere(make_app: Make, crash_event: Crash) -> None:
    """It is masked in message, locals, tuples, extra, breadcrumbs, chained errors and query too."""

    def inner(first: str) -> None:
        row = ("bob", first)
        raise LookupError(f"no user for {row[1]}")

    def view() -> str:
        shown = request.form["password"]
        number = int(request.form["pin_code"])
        logging.getLogger("shop").warning("signing in with %s", shown)
        sentry.extra_context({"note": f"tried {shown} and {number}", "numbers": [number]})
        try:
            inner(shown)
        except LookupError as error:
            raise ValueError(f"refused: {shown!r}") from error
        return ""

    app = _app_that(make_app, view, SENTRY_CONFIG={"enable_breadcrumbs": True})
    form = {"password": SECRET, "pin_code": "73510042"}
    event = crash_event(app, f"/view?again={SECRET}", "POST", data=form)
    text = json.dumps(event)
    assert SECRET not in text
    assert "73510042" not in text
    assert event["exception"]["values"][-1]["value"] == f"refused: '{MASK}'"
    assert event["message"] == f"ValueError: refused: '{MASK}'"
    assert event["extra"]["numbers"] == [MASK]


def test_a_log_record_loses_it(make_app: Make, wire: Any) -> None:
    """It is masked in formatted and params if the message shows which of them is a password."""
    app = make_app()
    with app.app_context():
        sentry.captureMessage(
            "user %s with password %s", params=("bob", SECRET), formatted=f"user bob: {SECRET}"
        )
    event = wire.one_event(app)
    assert SECRET not in json.dumps(event)
    assert "bob" in event["logentry"]["formatted"]
    assert named_parameters("%s has the password %r, %d%%", 3, _scrubber) == [1]
    assert named_parameters("%s for %s", 2, _scrubber) == []


@pytest.mark.parametrize(
    "chosen",
    ["test_masked_values.py", "ZeroDivisionError", "localhost", "view", "return", "shop", "/view"],
)
def test_a_visitor_blanks_nothing(make_app: Make, crash_event: Crash, chosen: str) -> None:
    """With any ?token= value, files, types, functions, rules, hosts and source stay unchanged."""

    def view() -> float:
        text = "return"
        return 1 / len(text[9:])

    app = _app_that(make_app, view, SENTRY_RELEASE="ZeroDivisionError")
    event = crash_event(app, "/view?" + urlencode({"token": chosen}))
    value = event["exception"]["values"][-1]
    frame = value["stacktrace"]["frames"][-1]
    assert value["type"] == "ZeroDivisionError"
    assert event["message"] == f"ZeroDivisionError: {value['value']}"
    assert frame["filename"].endswith("test_masked_values.py")
    assert frame["function"] == "view"
    assert frame["context_line"] == "        return 1 / len(text[9:])"
    assert frame["pre_context"][-1] == '        text = "return"'
    assert frame["vars"]["text"] == "return"
    assert event["transaction"] == "/view"
    assert event["request"]["url"] == "http://localhost/view"
    assert event["release"] == "ZeroDivisionError"


def test_ten_thousand_fields_blank_nothing(make_app: Make, crash_event: Crash) -> None:
    """Even 10,000 fields that contain every word of the event change none of these."""

    def view() -> float:
        text = "cart of ada"
        return 1 / len(text[11:])

    app = _app_that(make_app, view)
    words = "division zero cart ada view text return float localhost ZeroDivisionError".split()
    fields = [(f"token{n}", words[n % len(words)]) for n in range(10_000)]
    event = crash_event(app, "/view?" + urlencode(fields), "POST", data=dict(fields[:900]))
    assert event["message"] == "ZeroDivisionError: division by zero"
    frame = event["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert frame["vars"]["text"] == "cart of ada"
    assert frame["context_line"] == "        return 1 / len(text[11:])"
    assert MASK not in json.dumps(event["exception"])


def test_common_words_are_no_secrets() -> None:
    """If a field named token contains a word, no sentence is masked, only the word alone."""
    words = ("failed", "Payment", "sunshine", "true", "12345", "None")
    event = _mask(
        {"message": "Payment failed for sunshine 12345", "extra": {"a": "sunshine", "b": "failed"}},
        *words,
    )
    assert event["message"] == "Payment failed for sunshine 12345"
    assert event["extra"] == {"a": MASK, "b": "failed"}


def test_names_and_facts_are_left_alone() -> None:
    """Keys, the user's id, the release and the event's id are not masked as a visitor's values."""
    event: dict[str, Any] = {
        "event_id": "a1b2c3d4e5",
        "release": "v1.2-a1b2c3d4",
        "user": {"id": "user-77-abc", "email": "user-77-xyz"},
        "extra": {"keykeykey": 1},
    }
    shown = _mask(dict(event), "a1b2c3d4e5", "v1.2-a1b2c3d4", "user-77-abc", "keykeykey")
    assert shown == event


def test_a_value_as_a_key_is_masked() -> None:
    """A secret used as a dict key is masked. A plain word as key is a name."""
    event: dict[str, Any] = {"extra": {"by": {SECRET: "bob", "sunshine": 1}}}
    assert _mask(event, SECRET, "sunshine") == {"extra": {"by": {MASK: "bob", "sunshine": 1}}}


def test_halves_of_a_value_are_masked() -> None:
    """A text that was cut holds the beginning of a value, pydantic's also its end."""
    value = "Ab1-" * 30
    event = {"a": f"got {value[:40]}...", "b": f"'{value[:25]}...{value[-24:]}'", "c": value[:50]}
    shown = _mask(event, value)
    assert shown == {"a": f"got {MASK}...", "b": f"'{MASK}...'", "c": MASK}


def test_a_number_within_a_longer_one_stays() -> None:
    """The digits of a PIN in an order's number are not the PIN."""
    shown = _mask({"message": "order 9912345678 pin 123456"}, 123456)
    assert shown["message"] == f"order 9912345678 pin {MASK}"


def test_pydantic_and_sqlalchemy_say_names_apart_from_values() -> None:
    """The line before input_value= and the SQL statement name the value."""
    text = (
        "2 validation errors for Login\nuser\n  Too short [type=x, input_value='bob', input_type=s]"
        f"\ncard.password\n  Too short [type=x, input_value='{SECRET}', input_type=str]\n"
    )
    shown = without_named_values(text, _scrubber, MaskedValues())
    assert SECRET not in shown
    assert "input_value='bob'" in shown
    text = (
        "(sqlite3.IntegrityError) UNIQUE\n[SQL: INSERT INTO users (name, password) VALUES (?, ?)]"
        f"\n[parameters: ('bob', '{SECRET}')]\n(Background on this error)"
    )
    shown = without_named_values(text, _scrubber, MaskedValues())
    assert SECRET not in shown
    assert "(Background" in shown
    for text in (
        f"Key (email, token)=(a@b, {SECRET}) already exists.",
        f"Failing row contains (1, bob, {SECRET}).",
        f"Duplicate entry '{SECRET}' for key 'users.token'",
    ):
        assert SECRET not in without_named_values(text, _scrubber, MaskedValues())
    plain = "Key (email)=(a@b) already exists."
    assert without_named_values(plain, _scrubber, MaskedValues()) == plain


def test_encoded_forms_are_masked() -> None:
    """A value is also masked when percent-encoded, in JSON, in a repr and in HTML."""
    umlaut = {"message": json.dumps("pässword-x1"), "other": "q=two+words&c=d"}
    assert _mask(umlaut, "pässword-x1", "two words") == {
        "message": f'"{MASK}"',
        "other": f"q={MASK}&c=d",
    }
    value = "Zq9+x'h&u\"n=t/2 é"
    forms = (quote(value, safe=""), quote_plus(value), json.dumps(value), repr(value))
    event = {"message": " ; ".join((*forms, html.escape(value)))}
    shown = _mask(event, value)["message"]
    assert shown == f"{MASK} ; {MASK} ; \"{MASK}\" ; '{MASK}' ; {MASK}"


def test_a_breadcrumb_is_masked_when_it_is_recorded(make_app: Make, crash_event: Crash) -> None:
    """Its record knows the names: of a dict's items, of extra fields, before a placeholder."""
    log = logging.getLogger("shop")

    def view() -> None:
        log.warning("signing in with %(password)s", {"password": f"{SECRET}1"})
        log.warning(f"sent {SECRET}2", extra={"password": f"{SECRET}2"})
        log.warning("user %s has password %s", "bob", f"{SECRET}3")
        raise LookupError

    app = _app_that(make_app, view, SENTRY_CONFIG={"enable_breadcrumbs": True})
    event = crash_event(app, "/view")
    assert [crumb["message"] for crumb in event["breadcrumbs"]["values"]] == [
        f"signing in with {MASK}",
        f"sent {MASK}",
        f"user bob has password {MASK}",
    ]


def test_a_logged_validation_error_is_masked(make_app: Make, wire: Any) -> None:
    """pydantic's error as a parameter of a record, as a local and as a breadcrumb."""

    class Login(pydantic.BaseModel):
        password: int
        user: int

    log = logging.getLogger("shop")

    def view() -> None:
        try:
            Login.model_validate({"password": "sunshine" + "-x", "user": "bobby"})
        except pydantic.ValidationError as error:
            log.error("refused: %s", error)
            raise LookupError from None

    config = {"enable_breadcrumbs": True}
    app = _app_that(make_app, view, SENTRY_CONFIG=config, sentry={"logging": True})
    app.test_client().get("/view")
    assert app.extensions["sentry"].flush(10)
    events = wire.wait_for(2)
    assert "sunshine-x" not in json.dumps(events)
    assert "bobby" in json.dumps(events)


def test_rows_and_rows_of_words_have_names() -> None:
    """The columns of SQLAlchemy's rows are names; so is what stands before a value in a tuple."""
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.connect() as connection:
        query = sqlalchemy.text("SELECT 'bob' AS name, :it AS password")
        row = connection.execute(query, {"it": SECRET}).one()
    engine.dispose()
    serializer = Serializer(_scrubber)
    assert serializer.value(row) == {"name": "bob", "password": MASK}
    assert serializer.value(("bob", "password", SECRET)) == ["bob", "password", MASK]
    words = ["name", "password", "email"]
    assert serializer.value(words) == words
    options = [b"run", b"--password", SECRET.encode(), b"x"]
    assert SECRET not in str(serializer.value(options))


@pytest.mark.parametrize(
    "evil",
    [
        "input_value=",
        "password\n  input_value=",
        "[SQL: password\n[parameters: (",
        "Key (a)=(",
        "Key (password)=(b) ",
        "Duplicate entry 'a",
        "Duplicate entry 'a' for key 'password'",
        "Failing row contains (",
        "%s password ",
        "password" + " " * 50 + "%",
    ],
)
def test_no_error_text_takes_long(evil: str) -> None:
    """Twice the text takes at most 2.5 times as long, whatever is in it."""

    def seconds(length: int) -> float:
        text = (evil * length)[:length]
        taken = []
        for _ in range(3):
            begun = time.process_time()
            without_named_values(text, _scrubber, MaskedValues())
            named_parameters(text, 1_000, _scrubber)
            taken.append(time.process_time() - begun)
        return min(taken)

    assert seconds(60_000) <= 2.5 * seconds(30_000) + 0.02


def _event() -> dict[str, Any]:
    variables = {f"v{n}": "the quick brown fox jumps over the lazy dog " * 9 for n in range(400)}
    return {"extra": variables, "message": "x" * 8_000}


def _seconds(values: list[str], event: dict[str, Any]) -> float:
    masked = MaskedValues()
    for value in values:
        masked.note(value)
    taken = []
    for _ in range(3):
        begun = time.process_time()
        masked.mask(json.loads(json.dumps(event)))
        taken.append(time.process_time() - begun)
    return min(taken)


def test_ten_thousand_fields_slow_nothing(make_app: Make) -> None:
    """At most VALUES_MAX values are searched, however many a visitor sends."""
    few = [f"secret-{n}-{n * 7919}" for n in range(VALUES_MAX)]
    many = [f"secret-{n}-{n * 7919}" for n in range(10_000)]
    assert _seconds(many, _event()) <= 2 * _seconds(few, _event()) + 0.05


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("aaaaaa", ["a" * 60 + f"{n}b" for n in range(VALUES_MAX)]),
        ("aaaaaa1...", [f"aaaaaa1{n}xyz" for n in range(VALUES_MAX)]),
        ("abcdef1 ", [f"abcdef1{n}" for n in range(VALUES_MAX)]),
        ("ab1", [f"{'ab1' * 40}{n}" for n in range(VALUES_MAX)]),
    ],
)
def test_the_walk_is_linear_on_its_worst_event(text: str, values: list[str]) -> None:
    """Twice the event takes at most 2.5 times as long, when all of it looks like the values."""

    def event(length: int) -> dict[str, Any]:
        return {"extra": {str(n): (text * 100)[:400] for n in range(length // 400)}}

    assert _seconds(values, event(200_000)) <= 2.5 * _seconds(values, event(100_000)) + 0.02


def test_what_follows_a_step_of_the_path_is_masked_in_the_view_too(
    make_app: Make, crash_event: Crash
) -> None:
    """``/reset/<link>`` hides its link in the address; the view's argument loses it as well."""
    link = "k3Jq9ZtL0vXw7RbN"
    app = make_app()

    @app.get("/reset/<link>")
    def follow(link: str) -> str:
        raise LookupError(f"no such link: {link}")

    event = crash_event(app, f"/reset/{link}")
    assert link not in json.dumps(event)
    assert event["transaction"] == "/reset/<link>"
