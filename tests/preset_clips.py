"""Presets on recorded clips: short stretches, few steps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.gallery_clips import CLIPS, ROOT
from engine import Edit, Generate, Region, Take, read
from presets import Preset
from presets.finishing import finished_takes

if TYPE_CHECKING:
    from presets.finishing import Editor

#: A plugin Debian ships (dragonfly-reverb-vst3, from trixie on), wherever VST3s lie.
FOLDERS = [Path(p) for p in os.environ.get("VST3_PATH", "").split(os.pathsep) if p]
FOLDERS += [Path("/usr/lib/vst3"), Path("/usr/local/lib/vst3"), Path.home() / ".vst3"]
DRAGONFLY = next(
    (p for folder in FOLDERS if (p := folder / "DragonflyHallReverb.vst3").exists()), None
)


def region(name: str, length_s: float) -> Region:
    """The loudest stretch of a clip, of so many seconds, with what sounds around it."""
    whole = read(ROOT / CLIPS[name])
    n_frames = min(whole.n_frames, round(length_s * whole.rate))
    power = np.square(whole.samples, dtype=np.float64).sum(axis=1)
    sums = np.concatenate([[0.0], np.cumsum(power)])
    start = int(np.argmax(sums[n_frames:] - sums[: len(sums) - n_frames]))
    return read(ROOT / CLIPS[name], start, n_frames)


def quick(preset: Preset) -> dict[str, Any]:
    """What is given beside a preset so that trying it is quick: few steps, little new sound."""
    given: dict[str, Any] = {"steps": 2}
    if preset.edit in ("generate", "continue"):
        given["seconds"] = 0.4
    if "resample" in preset.parameters:
        given["resample"] = 1
    return given


def take(engine: Editor, preset: Preset, of: Region, **given: Any) -> tuple[Take, Edit]:
    """The best take of a preset, and its edit."""
    edit = preset.make_edit({**quick(preset), **given}, of.n_frames)
    source = None if isinstance(edit, Generate) else of
    return finished_takes(engine, source, edit, preset.finish)[0], edit
