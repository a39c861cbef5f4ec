"""The data that the packages share about one failed request. Data only, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .dsn import Dsn


@dataclass(frozen=True, slots=True)
class Crash:
    """The facts of one failed request.

    Made by the front door when a request has failed, and read by the page and by feedback.
    It holds no part of the exception's text or type: a template may print every field.
    """

    event_id: str | None
    """The id (32 hex digits) of the event that was accepted for sending, or None."""

    dsn: Dsn | None = None
    """Where the event goes, or None when no reporter is configured."""

    method: str = "GET"
    """The failed request's method: trying again is offered for GET only."""

    url: str = ""
    """The failed request's path and query, as the visitor's browser requested it, in ASCII; empty
    if it is longer than servers accept."""

    root_url: str = "/"
    """Where this app is mounted, as a path ending in a slash: the way home."""

    user_name: str = ""
    """The signed-in user's name, for prefilling; empty if nobody is signed in."""

    user_email: str = ""
    """The signed-in user's email address, for prefilling; empty if nobody is signed in."""

    refused: bool = False
    """The server refuses the events of this DSN, so there may be no report of this crash."""

    hosted_dialog: bool = True
    """Whether the page may show the server's own dialog: not where its words are lost."""

    @property
    def public_dsn(self) -> str | None:
        """The DSN a browser may see, or None."""
        return self.dsn.public if self.dsn else None


@dataclass(frozen=True, slots=True)
class FeedbackForm:
    """The data of the page's own form. In templates it is ``feedback``, or None without a form."""

    action: str
    """Path the form posts to."""

    token: str
    """Signed proof that this visitor saw this crash; it names the event."""

    name: str = ""
    email: str = ""
    comments: str = ""
    """The content of the fields: prefilled, or the visitor's earlier input."""

    outcome: str = ""
    """Empty before sending, then ``"sent"``, ``"passed"`` (to a server that may not keep it),
    ``"saved"`` (not sent yet) or ``"refused"``."""

    errors: Mapping[str, str] = field(default_factory=dict)
    """Messages about invalid input, by field name; the empty name means the whole form."""
