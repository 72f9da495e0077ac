"""Retake's engine: text-guided edits of audio regions by latent diffusion.

>>> from engine import Engine, Transfer, read
>>> engine = Engine.load("pocket")
>>> take = engine.edit(read("clip.wav"), Transfer(prompt="heavy rain", strength=0.6))

Torch is imported only when `Engine` is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.edits import (
    EDITS,
    Bandwidth,
    Continue,
    Edit,
    Generate,
    Hole,
    Inpaint,
    Loop,
    Transfer,
    Vary,
    make_edit,
)
from engine.errors import Cancelled, CheckpointError, FaultError, RequestError, RetakeError
from engine.region import Region, Take, read, write

if TYPE_CHECKING:
    from engine.engine import Engine

__all__ = [
    "EDITS",
    "Bandwidth",
    "Cancelled",
    "CheckpointError",
    "Continue",
    "Edit",
    "Engine",
    "FaultError",
    "Generate",
    "Hole",
    "Inpaint",
    "Loop",
    "Region",
    "RequestError",
    "RetakeError",
    "Take",
    "Transfer",
    "Vary",
    "make_edit",
    "read",
    "write",
]


def __getattr__(name: str) -> Any:
    if name == "Engine":
        from engine.engine import Engine

        return Engine
    raise AttributeError(name)
