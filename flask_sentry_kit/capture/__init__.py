"""An exception becomes an event: raven's reporter, and what it knows of request and user."""

from .client import Client as Client
from .raven import Sentry as Sentry
from .release import fetch_git_sha as fetch_git_sha
