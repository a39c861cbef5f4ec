"""The inbox's password: read from a private file, compared in constant time, guessed slowly."""

from __future__ import annotations

import errno
import hmac
import ipaddress
import math
import os
import stat
import sys
import threading
import time
from collections import OrderedDict
from hashlib import sha256
from typing import Final

from .errors import InboxError

_LONGEST: Final = 1_024

WRONG_TRIES: Final = 10
"""Wrong passwords from one address within a minute. After that none is looked at."""

_MINUTE: Final = 60.0

_ADDRESSES: Final = 4_096
"""Addresses whose wrong tries are remembered: 1 MB. Who has more of them is not slowed."""


class Password:
    """A password, and how often each address gave a wrong one.

    Of the password only a hash is kept, so that no log or traceback can show it.
    """

    def __init__(self, text: str) -> None:
        self._digest = _digest(text)
        self._lock = threading.Lock()
        # The times of wrong tries, the address that tried last at the end.
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    def wait_after(self, address: str, given: str) -> int | None:
        """Look at one try: 0 if it is right, None if it is wrong.

        :returns: or the seconds to wait, after too many wrong tries from this address. Then this
            one was not looked at, also where it is right.
        """
        now = time.monotonic()
        network = _network(address)
        with self._lock:
            wrong = [at for at in self._wrong.get(network, ()) if at > now - _MINUTE]
            if len(wrong) >= WRONG_TRIES:
                return max(1, math.ceil(wrong[0] + _MINUTE - now))
            if hmac.compare_digest(_digest(given), self._digest):
                return 0
            self._wrong[network] = [*wrong, now]
            self._wrong.move_to_end(network)
            if len(self._wrong) > _ADDRESSES:
                self._wrong.popitem(last=False)
        return None


def read_password(path: str | os.PathLike[str]) -> Password:
    """The password in a file, which is its only line.

    :raises InboxError: the file cannot be read, others may read it, or it holds no password; says
        what to do, and nothing of what is in it.
    """
    what = f"The password file {os.fspath(path)}"
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise InboxError(f"{what} is no regular file.")
            _check_private(found, what)
            data = file.read(_LONGEST + 3)
    except OSError as error:
        reason = "is a directory" if error.errno == errno.EISDIR else error.strerror
        raise InboxError(f"{what} cannot be read: {reason}.") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InboxError(f"{what} is not text in UTF-8.") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text.strip():
        raise InboxError(f"{what} is empty. Write the password into it, as its only line.")
    if len(text) > _LONGEST:
        raise InboxError(f"{what} holds more than {_LONGEST:,} characters.")
    if not text.isprintable():
        raise InboxError(f"{what} holds more than one line, or signs that nobody can type.")
    return Password(text)


def _check_private(found: os.stat_result, what: str) -> None:
    """:raises InboxError: another user may read or write the file."""
    if sys.platform == "win32":
        return  # which has access lists in place of a mode
    if found.st_uid not in (os.geteuid(), 0):
        raise InboxError(f"{what} belongs to another user. Make one of your own.")
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InboxError(
            f"{what} may be read or written by other users of this machine (mode"
            f" {stat.S_IMODE(found.st_mode):04o}). Do this, and take a new password if they are"
            f" not trusted: chmod 600 {what.removeprefix('The password file ')}"
        )


def _digest(text: str) -> bytes:
    # A hash makes both sides the same length, which compare_digest() would show otherwise.
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def _network(address: str) -> str:
    """The address, or of IPv6 the /64 that one client usually has all addresses of."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 6:
        return str(ipaddress.ip_network((int(found), 64), strict=False).network_address)
    return str(found)
