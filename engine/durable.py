"""Files that outlive a power cut. No torch here."""

from __future__ import annotations

import contextlib
import os
import sys


def bring_to_disk(descriptor: int) -> None:
    """Return once an open file's content is on the disk itself; an OSError where it can't be.

    Parameters
    ----------
    descriptor : int
        Open for writing.
    """
    if sys.platform == "darwin":  # fsync there leaves it in the drive's own cache
        import fcntl

        with contextlib.suppress(OSError):  # a file system that has no such call
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    if hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)
