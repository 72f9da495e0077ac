"""Procedural sounds with captions: the training corpus of the text-guided audio model.

`KINDS` maps a sound's name to its synthesiser and the words for it, `single` makes one sound,
`example` draws a random captioned clip. All is deterministic in the generator that is passed in.
"""

from engine.training.sounds import (  # noqa: F401  (importing a family registers its kinds)
    alarms,
    animals,
    birds,
    impacts,
    instruments,
    percussion,
    vehicles,
    voices,
    water,
    weather,
)
from engine.training.sounds.kinds import KINDS, Kind
from engine.training.sounds.scene import Example, example, single

__all__ = ["KINDS", "Example", "Kind", "example", "single"]
