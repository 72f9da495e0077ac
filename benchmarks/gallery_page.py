"""The text of docs/presets.md, from the library, the tables and the gallery's figures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.edits import Parameter
from presets import FAMILIES, Preset, Shelf
from presets.effects import EFFECTS
from presets.schema import KEYS

PAGE = Path(__file__).parents[1] / "docs" / "presets.md"
FOLDER = PAGE.parent / "presets"
#: Where the bands meet whose levels are told.
BANDS_HZ = (250.0, 1000.0, 4000.0)
BAND_NAMES = ("under 250 Hz", "to 1 kHz", "to 4 kHz", "above")
#: A band that holds less than this is as good as empty, and changes less are not told.
EMPTY_DB, LEAST_DB = -90.0, 1.0


@dataclass(frozen=True)
class Figures:
    """What the gallery measured: by preset, the model and its figures."""

    of: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls) -> Figures:
        """Those in docs/presets/figures.json; none where there is no such file."""
        path = FOLDER / "figures.json"
        return cls(json.loads(path.read_text("utf-8")) if path.exists() else {})

    def with_figure(self, name: str, model: str, figure: dict[str, Any]) -> Figures:
        """The same with one more."""
        return Figures({**self.of, name: {"model": model, **figure}})

    def write(self) -> None:
        """Keep them, of presets that are still there."""
        names = Shelf(Path("/nowhere")).names
        rows = [f"{json.dumps(n)}: {json.dumps(self.of[n])}" for n in names if n in self.of]
        (FOLDER / "figures.json").write_text("{\n" + ",\n".join(rows) + "\n}\n", "utf-8")


def page(figures: Figures) -> str:
    """The whole page."""
    shelf = Shelf(Path("/nowhere"))
    presets = list(shelf.presets())
    parts = [_HEAD.replace("{count}", str(len(presets)))]
    parts.append(_keys())
    parts.append(_effects())
    parts += [_family(family, presets, figures) for family in FAMILIES]
    return "\n".join(parts)


def _keys() -> str:
    rows = [f"| `{key}` | {doc} |" for key, doc in KEYS.items()]
    return _KEYS.replace("{rows}", "\n".join(rows))


def _effects() -> str:
    rows = []
    for effect in EFFECTS.values():
        settings = "; ".join(f"`{s.name}` {_range(s)}".strip() for s in effect.settings)
        rows.append(f"| `{effect.name}` | {effect.doc} | {settings} |")
    return _EFFECTS.replace("{rows}", "\n".join(rows))


def _range(setting: Parameter) -> str:
    if setting.choices:
        return ", ".join(setting.choices)
    return f"{setting.low:g} to {setting.high:g}" if setting.low is not None else ""


def _family(family: str, presets: list[Preset], figures: Figures) -> str:
    lines = [f"## {FAMILIES[family]}", ""]
    for preset in (preset for preset in presets if preset.family == family):
        lines += [*_entry(preset, figures.of.get(preset.name)), ""]
    return "\n".join(lines)


def _entry(preset: Preset, figure: dict[str, Any] | None) -> Iterator[str]:
    yield f"### {preset.name}"
    yield ""
    facts = [f"`{preset.edit}`", *(f"{k} {_plain(v)}" for k, v in preset.parameters.items())]
    if preset.text:
        facts.append(f"“{preset.text}” ({preset.default})")
    if preset.finish.chain:
        facts.append(" → ".join(link.effect for link in preset.finish.chain))
    yield f"{preset.description}.\\"
    yield " · ".join(facts)
    if figure is not None:
        yield ""
        yield f"![{preset.name}, before and after](presets/{preset.name}.jpg)\\"
        yield _measured(figure)


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _measured(figure: dict[str, Any]) -> str:
    """What was measured on the picture's clip, in one line."""
    before_s, after_s = figure["seconds"]
    told = [f"On {figure['on']}, with {figure['model']}"]
    if figure["before_db"] is None:
        loudest = max(figure["after_db"])
        levels = [
            f"{n} {_db(v - loudest)}" for n, v in zip(BAND_NAMES, figure["after_db"], strict=True)
        ]
        return f"{told[0]}: {', '.join(levels)}; {after_s:g} s"
    changes = []
    for name, old, new in zip(BAND_NAMES, figure["before_db"], figure["after_db"], strict=True):
        if new > EMPTY_DB and old <= EMPTY_DB:
            changes.append(f"{name} new")
        elif max(old, new) > EMPTY_DB and abs(new - old) >= LEAST_DB:
            changes.append(f"{name} {_db(new - old)}")
    told.append(", ".join(changes) or "levels within 1 dB")
    length = f"; {before_s:g} s to {after_s:g} s" if before_s != after_s else ""
    return ": ".join(told) + length


def _db(value: float) -> str:
    return f"{value:+.0f} dB".replace("-", "−")


_HEAD = """\
# Presets

A preset is an edit with its parameters, its words and an after-chain, under a name: {count} come
with Retake, and your own go beside them. This page is written by `python -m benchmarks.gallery`,
from the presets and from takes it makes of recorded clips ([credits](../tests/clips/CREDITS.md)).

```
retake presets                                   # all of them; --family media, --edit vary, --json
retake preset show cathedral                     # as TOML, with everything in it
retake preset render cathedral door.wav -o out.wav
retake transfer door.wav --preset cathedral --prompt "a slammed door" --strength 0.3 -o out.wav
retake watch in/ --preset telephone -o out/      # audio files dropped into in/ come out in out/
```

What you give beside a preset wins over it. `--prompt` stands where its text has `{text}`. Over the
wire the key is `preset` ([protocol.md](protocol.md)).

## What holds with a preset

The [promises to the host](engine.md#what-every-edit-keeps) hold with one, too.

- **Length.** A take is as long as without the preset. What an after-chain rings past the end of a
  clip fades inside it, in its last quarter of a second; where the clip goes on after the region it
  is cut there. A preset with `tail = "longer"` (or `--tail longer`) gives `tail_seconds` more
  instead. With `--splice` nothing outside the region changes, so tails are never longer there.
- **Place.** Nothing is delayed. A pitch shift of more than seven semitones blurs attacks by two or
  three milliseconds.
- **Outside holes, seams and what is continued** the chain changes no sample. A chain knows no
  bands: a hole with a band is refused. `bandwidth` takes no chain.
- **Zero is nothing.** Strength, amount or mix 0 gives the source, bit for bit. `mix` counts for
  edit and chain together; where a curve or a mask is 0 over all frequencies the chain is silent as
  well, and no loudness is changed. Where a mask leaves out bands only, the chain acts on all of
  them.
- **Gain.** Effects see every take at −20 dBFS (active RMS), so a threshold means the same for a
  quiet clip and a loud one. Afterwards the take is as loud as its source, or as the preset's
  `loudness` says: all of it, or the stretches that a curve or a mask lets change.
- **Channels.** Each goes through effects of its own: swapped channels give a swapped take, a stereo
  image is kept, and a reverb widens nothing. Your own plugins may ask for two channels at once
  (`stereo = true`).
- **Honest failure.** A plugin that is missing, refuses a setting, crashes or hangs fails that job
  with a sentence that names it. It runs in a process of its own, so nothing else is lost; that
  process ends with the job, on Linux also when the job's worker is killed. It hangs when it has
  given no answer after two minutes and five times the clip's length.

A folder that is watched gets no file written over: `door.wav` becomes `door.telephone.wav`, then
`door.telephone.2.wav`. A file is taken up when it has stood still for two seconds.
`retake-done.txt` beside the takes keeps what is done (the next watch goes on from there),
`retake-errors.txt` what failed and why. A folder that goes away is waited for. `--once` ends when
all is done, with status 1 where files failed.

## Your own

They are TOML files in `presets` in Retake's config folder (Linux `~/.config/retake/presets`, macOS
`~/Library/Application Support/retake/presets`, Windows `%LOCALAPPDATA%\\retake\\presets`), or where
`$RETAKE_PRESETS` says. One of the same name comes before the library's. A path in one (a mask, an
impulse response, a plug-in) counts from the file's own folder.

```
retake preset new my-hall --extends cathedral    # says where the file is
retake preset check                              # mistakes, each with file, line and key
```
"""

_KEYS = """\
```toml
name = "my-hall"
extends = "cathedral"          # what isn't said here is as there
description = "My hall: darker, two seconds longer"
tail = "longer"
tail_seconds = 6

[parameters]
strength = 0.3

[[chain]]
plugin = "/usr/lib/vst3/DragonflyHallReverb.vst3"   # VST3, or AU on macOS: only in your own presets
stereo = true
settings = { size_m = 40, late_level = 60 }

[[chain]]
effect = "HighShelfFilter"
cutoff_frequency_hz = 4000
gain_db = -3
```

| key | what it is |
|---|---|
{rows}

Paths of plugins and impulse responses may be relative to the preset's file. `retake preset check`
loads plugins and tries their settings.

The plugins tried are Debian 13's `dragonfly-reverb-vst3` (Hall, on Linux): the tests run it where
it is installed, and leave it out where it isn't. No AU was run, and no plugin on macOS or Windows.
"""

_EFFECTS = """\
## The effects

They are [pedalboard](https://spotify.github.io/pedalboard/)'s, with its names; what isn't set is as
there.

| effect | what it does | settings |
|---|---|---|
{rows}
"""
