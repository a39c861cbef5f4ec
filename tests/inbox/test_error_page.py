"""How ``/api/embed/error-page/`` answers: the second table of what real servers were seen to do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.inbox import RunningInbox

EVENT_ID = "0123456789abcdef0123456789abcdef"
FORM = {"name": "Ann", "email": "ann@shop.example", "comments": "I pressed pay"}
URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}
REQUIRED = ["This field is required."]


def post(served: RunningInbox, form: dict[str, str], **headers: str) -> Any:
    return served.error_page("POST", body=urlencode(form), headers={**URLENCODED, **headers})


def reports(served: RunningInbox) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = served.api("words")["words"]
    return found


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_get_brings_the_dialogs_script(shared: RunningInbox, method: str) -> None:
    """200 text/javascript, for every origin, as newer servers have it."""
    answer = shared.error_page(method)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert bool(answer.data) is (method == "GET")


@pytest.mark.parametrize(
    "event_id", [None, "", "xyz", EVENT_ID[:-1], "01234567-89ab-cdef-0123-456789abcdef"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_malformed_event_id_is_400(
    shared: RunningInbox, method: str, event_id: str | None
) -> None:
    """Missing or malformed, dashes too; by any method, and whatever else is wrong."""
    answer = shared.error_page(method, query={"eventId": event_id, "dsn": None})
    assert answer.status == 400
    assert answer.json() == {"eventId": "Missing or invalid parameter."}


@pytest.mark.parametrize(
    "dsn",
    [
        None,
        "",
        "nonsense",
        "http://[",
        "http://ffffffffffffffffffffffffffffffff@127.0.0.1/1",
        "http://KEY@127.0.0.1/2",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_wrong_dsn_is_404(choosy: RunningInbox, method: str, dsn: str | None) -> None:
    """Missing, unknown key, or the key of another project; before origin and method count."""
    dsn = dsn and dsn.replace("KEY", choosy.key)
    answer = choosy.error_page(
        method, query={"dsn": dsn}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status == 404
    assert answer.json() == {"dsn": "Missing or invalid parameter."}


@pytest.mark.parametrize(
    "dsn",
    [
        "https://KEY:secret@127.0.0.1/1",
        "http://KEY@sentry.example:9000/prefix/1",
        "//KEY@127.0.0.1/1",
    ],
)
def test_of_the_dsn_only_key_and_project_count(shared: RunningInbox, dsn: str) -> None:
    """A secret in it, another host, or no scheme (raven's public DSN has none) is accepted."""
    answer = shared.error_page("GET", query={"dsn": dsn.replace("KEY", shared.key)})
    assert answer.status == 200
    assert b"secret" not in answer.data


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://shop.example"}, 200),
        ({"Referer": "https://shop.example/checkout?a=1"}, 200),
        ({"Origin": "null", "Referer": "https://shop.example/"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "https://evil.example", "Referer": "https://shop.example/"}, 403),
        ({"Referer": "https://evil.example/https://shop.example"}, 403),
        ({"Referer": "http://[broken"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PUT"])
def test_a_refused_origin_is_403(
    choosy: RunningInbox, method: str, headers: dict[str, str], status: int
) -> None:
    """Origin counts or, without one, Referer; it is checked before the method."""
    before = reports(choosy)
    sent = {"body": urlencode(FORM)} if method == "POST" else {}
    answer = choosy.error_page(method, headers={**URLENCODED, **headers}, **sent)
    assert answer.status == (405 if method == "PUT" and status == 200 else status)
    if status == 403:
        assert answer.json() == {}
        assert reports(choosy) == before


def test_options_is_200(shared: RunningInbox) -> None:
    """``{}``, and the headers a preflight looks at."""
    answer = shared.error_page("OPTIONS", headers={"Origin": "https://shop.example"})
    assert (answer.status, answer.json()) == (200, {})


def test_other_methods_are_405(shared: RunningInbox) -> None:
    """Checked last; the answer says what is taken."""
    answer = shared.error_page("DELETE")
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD, POST, OPTIONS"


def test_a_report_is_taken_urlencoded(served: RunningInbox) -> None:
    """200 ``{}`` as application/json, and the words are there."""
    answer = post(served, FORM)
    assert (answer.status, answer.json()) == (200, {})
    assert answer.headers["Content-Type"] == "application/json"
    assert [(report["event_id"], report["comments"]) for report in reports(served)] == [
        (EVENT_ID, "I pressed pay")
    ]


def test_a_report_is_taken_multipart(served: RunningInbox) -> None:
    """As a form with FormData sends it."""
    assert served.error_page("POST", fields=FORM).status == 200
    assert reports(served)[0]["name"] == "Ann"


@pytest.mark.parametrize("missing", ["name", "email", "comments"])
@pytest.mark.parametrize("how", ["absent", "blank"])
def test_all_three_fields_are_required(served: RunningInbox, missing: str, how: str) -> None:
    """400 with that field's message; nothing is kept."""
    form = {name: value for name, value in FORM.items() if name != missing}
    answer = post(served, form if how == "absent" else {**form, missing: "  "})
    assert (answer.status, answer.json()) == (400, {"errors": {missing: REQUIRED}})
    assert reports(served) == []


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (json.dumps(FORM), {"Content-Type": "application/json"}),
        (b"\xff\x00" * 50, {"Content-Type": "multipart/form-data"}),
        (b"--x\r\nnonsense", {"Content-Type": "multipart/form-data; boundary=x"}),
        (b"", {}),
    ],
)
def test_a_body_that_is_no_form_is_400(
    shared: RunningInbox, body: bytes, headers: dict[str, str]
) -> None:
    """JSON, a broken form or nothing: all three fields are missing."""
    answer = shared.error_page("POST", body=body, headers=headers)
    assert answer.status == 400
    assert answer.json() == {"errors": {name: REQUIRED for name in FORM}}


@pytest.mark.parametrize(
    ("field", "value", "fine"),
    [
        ("email", "ann", False),
        ("email", "ann@", False),
        ("email", "ann@shop", False),
        ("email", "a b@shop.example", False),
        ("email", "<i>@shop.example", False),
        ("email", "ann+x@mail.shop.example", True),
        ("email", "anonymous@anonymous.invalid", True),
        ("email", "a" * 62 + "@shop.example", True),
        ("email", "a" * 63 + "@shop.example", False),
        ("name", "n" * 128, True),
        ("name", "n" * 129, False),
    ],
)
def test_name_and_email_are_checked(
    served: RunningInbox, field: str, value: str, fine: bool
) -> None:
    """name up to 128, email an address of up to 75 characters; else 400 with the field's words."""
    answer = post(served, {**FORM, field: value})
    if fine:
        assert answer.status == 200
    else:
        assert answer.status == 400
        assert list(answer.json()["errors"]) == [field]
        assert len(reports(served)) == 0


def test_a_second_report_replaces_the_first(served: RunningInbox) -> None:
    """200 again; one report an event."""
    post(served, FORM)
    assert post(served, {**FORM, "comments": "I pressed it twice"}).status == 200
    assert [report["comments"] for report in reports(served)] == ["I pressed it twice"]


def test_a_report_before_its_event_is_linked_when_it_arrives(served: RunningInbox) -> None:
    """200 for an event nobody knows yet; they are one once it comes."""
    assert post(served, FORM).status == 200
    assert served.api("crashes")["crashes"] == []
    served.store()
    assert served.api("events")["events"][0]["latest_words"]["comments"] == "I pressed pay"
    assert served.api("crashes")["crashes"][0]["latest_words"]["comments"] == "I pressed pay"


@pytest.mark.parametrize(
    ("form", "query", "status", "context"),
    [
        (FORM, {}, 200, {}),
        ({**FORM, "name": ""}, {}, 400, {"errors": {"name": REQUIRED}}),
        (FORM, {"eventId": "x"}, 400, {"eventId": "Missing or invalid parameter."}),
    ],
)
def test_a_script_gets_the_answer_in_a_header(
    shared: RunningInbox, form: Any, query: Any, status: int, context: Any
) -> None:
    """``Accept: text/javascript``: same status, empty body, the JSON in ``X-Sentry-Context``."""
    answer = shared.error_page(
        "POST",
        query=query,
        body=urlencode(form),
        headers={**URLENCODED, "Accept": "text/javascript"},
    )
    assert (answer.status, answer.data) == (status, b"")
    assert json.loads(answer.headers["X-Sentry-Context"]) == context


@pytest.mark.parametrize(
    ("method", "query", "status"),
    [
        ("POST", {}, 400),
        ("OPTIONS", {}, 200),
        ("GET", {"eventId": None}, 400),
        ("GET", {"dsn": None}, 404),
        ("GET", {}, 403),
    ],
)
def test_every_json_answer_allows_the_origin(
    serve_inbox: Callable[..., Any], method: str, query: Any, status: int
) -> None:
    """Refusals too, or a page could not read why."""
    origin = "https://shop.example"
    served = serve_inbox(allowed_origins=("https://other.example" if status == 403 else "*",))
    answer = served.error_page(method, query=query, headers={"Origin": origin})
    assert answer.status == status
    cors = {name: value for name, value in answer.headers.items() if "-Control-Allow" in name}
    assert cors == {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
        "Access-Control-Allow-Headers": "Content-Type, Authorization, X-Requested-With",
    }
    assert answer.headers["Access-Control-Max-Age"] == "1000"


def test_a_report_too_large_is_413(shared: RunningInbox) -> None:
    """And is said in the dialog's own form, so that its words can be shown."""
    answer = post(shared, {**FORM, "comments": "x" * 70_000})
    assert answer.status == 413
    assert "comments" in answer.json()["errors"]
    assert post(shared, {**FORM, "comments": "é" * 8_000}).status == 200


def test_every_option_of_the_dialog_is_taken(shared: RunningInbox) -> None:
    """Each option's text is in the script, and the default is not."""
    names = (
        "name email title subtitle subtitle2 labelName labelEmail labelComments labelClose"
        " labelSubmit noteOptional errorComments errorEmail errorGeneric errorFormEntry"
        " successMessage"
    ).split()
    script = shared.error_page("GET", query={name: f"given {name}" for name in names}).data
    options = json.loads(re.search(rb"\}\)\((\{.*?\}), ", script)[1])  # type: ignore[index]
    assert {name: options[name] for name in names} == {name: f"given {name}" for name in names}


@pytest.mark.parametrize(
    "text", ["</script><script>x()</script>", "<!--", '";x();"', "\\", "\u2028", "'+x()+'", "&lt;"]
)
def test_an_option_stays_text(shared: RunningInbox, text: str) -> None:
    """Whatever a user is called: no end of string, no end of script, in a file or inlined."""
    script = shared.error_page("GET", query={"name": text, "title": f"{text}."}).data.decode()
    plain = shared.error_page("GET").data.decode()
    # All but the two strings is the script as it always is, and they read back as the text.
    start = script.index("})({") + 3
    assert script[:start] == plain[:start]
    options, end = json.JSONDecoder().raw_decode(script[start:])
    assert (options["name"], options["title"]) == (text, f"{text}.")
    assert not re.search("[<>&\u2028]", script[start : start + end])
