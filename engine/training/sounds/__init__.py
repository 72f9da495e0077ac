"""Procedural sounds with captions: the training corpus of the text-guided audio model.

`KINDS` maps a sound's name to its synthesiser and the words for it, `single` makes one sound,
`example` draws a random captioned clip. All is deterministic in the generator that is passed in.
"""

from engine.training.sounds import (  # noqa: F401  (importing a family registers its kinds)
    alarms,
    birds,
    body,
    crowds,
    drums,
    farm,
    footsteps,
    household,
    impacts,
    insects,
    interface,
    keys,
    kitchen,
    machines,
    mallets,
    office,
    percussion,
    pets,
    scifi,
    singing,
    strings,
    synths,
    tones,
    tools,
    transport,
    vehicles,
    voices,
    water,
    weapons,
    weather,
    wild,
    winds,
)
from engine.training.sounds.kinds import KINDS, Kind
from engine.training.sounds.scene import Example, example, single

__all__ = ["KINDS", "Example", "Kind", "example", "single"]
