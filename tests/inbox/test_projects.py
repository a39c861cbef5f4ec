"""Which projects and keys events are taken for: any that make a DSN, or those that are named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flask_sentry_kit.dsn import Dsn
from flask_sentry_kit.inbox import create_inbox
from flask_sentry_kit.inbox.errors import InboxError
from tests.support.inbox import RunningInbox, running


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningInbox]:
    """An inbox for two projects."""
    with running(tmp_path_factory.mktemp("named")) as start:
        yield start(projects=["shop:abc", "7:def"])


@pytest.mark.parametrize(
    ("project", "key"),
    [("1", "f" * 32), ("4505281234567890", "0" * 32), ("shop", "public"), ("v1", "k")],
)
def test_an_apps_dsn_works_once_its_host_is_changed(
    shared: RunningInbox, project: str, key: str
) -> None:
    """By default any project and key are taken, for events and for the dialog alike."""
    assert shared.store(project=project, key=key).status == 200
    dsn = f"https://{key}@o1.ingest.sentry.io/{project}"
    assert shared.error_page("GET", query={"dsn": dsn}).status == 200
    body = f'{{"dsn":"{dsn}"}}\n{{"type":"event"}}\n{{"message":"hello"}}\n'
    assert shared.request("POST", f"/api/{project}/envelope/", body=body).status == 200


@pytest.mark.parametrize(
    ("project", "key", "status"),
    [
        ("1", "no key", 401),
        ("1", "k@y", 401),
        ("1", "k" * 65, 401),
        ("a%20b", "k", 400),
        ("%3Cb%3E", "k", 400),
        ("1" * 65, "k", 400),
    ],
)
def test_what_makes_no_dsn_is_refused(
    shared: RunningInbox, project: str, key: str, status: int
) -> None:
    """No client can have it, so whoever sends it is none."""
    assert shared.store(project=project, key=key).status == status


@pytest.mark.parametrize(
    ("project", "key", "status"),
    [
        ("shop", "abc", 200),
        ("7", "def", 200),
        ("7", "abc", 400),
        ("1", "abc", 400),
        ("7", "x", 401),
    ],
)
def test_named_projects_are_the_only_ones(
    named: RunningInbox, project: str, key: str, status: int
) -> None:
    """An unknown key is 401, the key of another project 400, and the dialog's answer 404."""
    assert named.store(project=project, key=key).status == status
    dsn = f"http://{key}@localhost/{project}"
    answer = named.error_page("GET", query={"dsn": dsn})
    assert answer.status == (200 if status == 200 else 404)


def test_the_first_named_project_is_in_the_dsn(named: RunningInbox) -> None:
    """As it is printed, to be pasted."""
    dsn = Dsn.parse(named.dsn)
    assert (dsn.project, dsn.public_key) == ("shop", "abc")


def test_a_project_without_a_key_has_the_kept_one(serve_inbox: Callable[..., RunningInbox]) -> None:
    """Or the one that is given for all of them."""
    kept = serve_inbox(projects=["shop"])
    assert Dsn.parse(kept.dsn).project == "shop" and len(kept.key) == 32
    given = serve_inbox(projects=["shop", "7:def"], public_key="abc")
    assert given.store(project="shop", key="abc").status == 200
    assert given.store(project="7", key="def").status == 200
    assert given.store(project="shop", key="def").status == 400
    alone = serve_inbox(public_key="abc")
    assert Dsn.parse(alone.dsn).project == "1"
    assert alone.store(key="abc").status == 200
    assert alone.store(key="x" * 32).status == 401


def test_a_key_for_no_project_is_refused(tmp_path: Path) -> None:
    """Every project has one already, so the one that is given for all is a mistake."""
    with pytest.raises(InboxError, match="leave --key out"):
        create_inbox(tmp_path / "inbox.sqlite", projects=["shop:abc"], public_key="def")
    assert list(tmp_path.iterdir()) == []
