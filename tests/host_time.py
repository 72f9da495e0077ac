"""Time that a bridge takes of its host's own thread, as the models of hosts measure it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """No garbage collection meanwhile: it takes as long as the process is large, and the tests'
    own heap, with all their networks, is no host's."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
