"""Decides which of the processes that share a spool delivers from it."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress

from .. import files
from .spool_errors import SpoolLost
from .spool_file import identity, trouble_of

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class Lease:
    """The operating system's lock on a file beside the spool. It ends with the process, however
    the process ends.

    :param path: of the spool.
    """

    def __init__(self, path: str) -> None:
        self._path = f"{path}.lock"
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Hold the lock, or go on holding it. False: another process holds it.

        :raises SpoolBusy, SpoolLost: the file cannot be opened or locked.
        """
        if self._descriptor is not None:
            if _same_file(self._descriptor, self._path):
                return True
            self.release()
        try:
            descriptor = files.open_private_file(self._path, "The spool's lock")
        except (OSError, files.UnsafeFileError) as error:
            raise trouble_of(error) from error
        try:
            if sys.platform == "win32":
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                return False
            # This file system has no locks, so that waiting for one would never end.
            raise SpoolLost(f"it cannot be locked: {error}") from error
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let another process hold it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                if sys.platform != "win32":
                    # Closing is not enough: a child that was just forked has the descriptor too.
                    fcntl.flock(descriptor, fcntl.LOCK_UN)
                os.close(descriptor)

    def abandon(self) -> None:
        """Let go of the lock, in a forked child: it stays the parent's."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)


def _same_file(descriptor: int, path: str) -> bool:
    found = os.fstat(descriptor)
    return (found.st_dev, found.st_ino) == identity(path)
