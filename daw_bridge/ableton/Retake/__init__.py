"""Retake in Ableton Live: a Remote Script (Python 3.7, standard library, no threads)."""

from typing import Any


def create_instance(c_instance: Any) -> Any:
    """What Live calls once Retake is chosen as a control surface."""
    from .surface import Retake

    return Retake(c_instance)
