"""What the rooms tell each other about one failed request. Facts only: no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .dsn import Dsn


@dataclass(frozen=True, slots=True)
class Crash:
    """The facts of one failed request.

    Made by the front door when a request has failed, read by the page and by feedback.
    Nothing of the exception's text or type is in it: a template can print all of it.
    """

    event_id: str | None
    """32 hex digits of the event that was accepted for sending, or None when there is none."""

    dsn: Dsn | None = None
    """Where the event goes, or None when no reporter is configured."""

    method: str = "GET"
    """The failed request's method: trying again is offered for GET only."""

    url: str = ""
    """The failed request's path and query, as the visitor's browser asked for it, in ASCII; empty
    where it is longer than servers take."""

    root_url: str = "/"
    """Where this app is mounted, as a path ending in a slash: the way home."""

    user_name: str = ""
    """The signed-in user's name, for prefilling; empty for a stranger."""

    user_email: str = ""
    """The signed-in user's email address, for prefilling; empty for a stranger."""

    refused: bool = False
    """The server refuses the events of this DSN, so that nobody may have a report of this."""

    @property
    def public_dsn(self) -> str | None:
        """The DSN a browser may see, or None."""
        return self.dsn.public if self.dsn else None


@dataclass(frozen=True, slots=True)
class FeedbackForm:
    """The facts of the page's own form. Templates know it as ``feedback``; None is no form."""

    action: str
    """Path the form posts to."""

    token: str
    """Signed proof that this visitor saw this crash; it names the event."""

    name: str = ""
    email: str = ""
    comments: str = ""
    """What stands in the fields: prefilled, or what was typed before."""

    outcome: str = ""
    """Empty while open, then ``"sent"``, ``"saved"`` (it waits) or ``"refused"``."""

    errors: Mapping[str, str] = field(default_factory=dict)
    """What to mend, by field name; the empty name is the form itself."""
