"""Whether takes of presets keep the promises to the host: every preset on every clip."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.gallery_clips import CLIPS, ROOT
from engine import (
    Bandwidth,
    Continue,
    Edit,
    Engine,
    Generate,
    Hole,
    Inpaint,
    Loop,
    Region,
    Take,
    read,
)
from engine.errors import RetakeError
from presets import Finish, Preset
from presets.finishing import finished_takes


def check(model: str, presets: list[Preset], steps: int | None, seconds: float | None) -> int:
    """Every preset on every clip; a line for each that breaks a promise; an exit status."""
    engine = Engine.load(model, device="cpu")
    n_broken = 0
    for preset in presets:
        row = []
        for name in CLIPS:
            broken = list(_broken(engine, preset, name, steps, seconds))
            n_broken += len(broken)
            row.append("ok" if not broken else "; ".join(broken))
        print(f"{preset.name:24} {'  '.join(row)}", flush=True)
    print(f"{len(presets)} presets on {len(CLIPS)} clips: {n_broken} promises broken")
    return int(n_broken > 0)


def _broken(
    engine: Engine, preset: Preset, name: str, steps: int | None, seconds: float | None
) -> Iterator[str]:
    """The promises a preset breaks on a clip, in words."""
    whole = read(ROOT / CLIPS[name])
    longest = whole.n_frames if seconds is None else round(seconds * whole.rate)
    of = read(ROOT / CLIPS[name], 0, min(whole.n_frames, longest))
    edit = preset.make_edit({"steps": steps} if steps else {}, of.n_frames)
    source = None if isinstance(edit, Generate) else of
    try:
        made, again = (finished_takes(engine, source, edit, preset.finish)[0] for _ in range(2))
    except RetakeError as error:
        yield f"{error.code}: {error.message}"
        return
    yield from broken(made, edit, preset.finish, of)
    if made.samples.tobytes() != again.samples.tobytes():
        yield "not the same again"


def broken(made: Take, edit: Edit, finish: Finish, of: Region) -> Iterator[str]:
    """What a take breaks of the promises that one take can tell of, in words.

    Parameters
    ----------
    made : Take
    edit : Edit
        What made it.
    finish : Finish
        What was done to it.
    of : Region
        What it was made of; of no account to `generate`.
    """
    shape, rate = _shape(edit, finish, of)
    if made.samples.shape != shape or made.rate != rate:
        yield f"{made.samples.shape} at {made.rate} Hz; it must be {shape} at {rate} Hz"
        return
    if not np.isfinite(made.samples).all() or made.samples.std() < 1e-6:
        yield "no sound"
    for place, own in _kept(edit, of):
        if not np.array_equal(made.samples[place], of.samples[own]):
            yield f"what {edit.name} leaves alone has changed"
    if isinstance(edit, Bandwidth) and _added_under(made, edit.cutoff, of) > 1e-8:
        yield "something was added under the cutoff"


def _shape(edit: Edit, finish: Finish, of: Region) -> tuple[tuple[int, int], int]:
    """The frames and channels a take must have, and its rate."""
    n_frames, n_channels, rate = of.n_frames, of.n_channels, of.rate
    if isinstance(edit, Generate):
        n_frames, n_channels, rate = 0, edit.channels, edit.rate
    if isinstance(edit, (Generate, Continue)):
        n_frames += round(edit.seconds * rate)
    if finish.tail == "longer":
        n_frames += round(finish.tail_seconds * rate)
    return (n_frames, n_channels), rate


def _kept(edit: Edit, of: Region) -> list[tuple[slice, slice]]:
    """Stretches of a take, and of its region, that must be the same bit for bit."""
    whole = slice(0, of.n_frames)
    if isinstance(edit, Continue):
        new = round(edit.seconds * of.rate)
        return [(whole if edit.direction == "after" else slice(new, None), whole)]
    if isinstance(edit, Loop):
        half = round(min(edit.seam, of.length_s / 2) * of.rate) // 2 + 1
        middle = slice(half, of.n_frames - half)
        return [(middle, middle)]
    if isinstance(edit, Inpaint):
        ends = [0, *(end for hole in edit.holes for end in _ends(hole)), of.n_frames]
        between = [slice(*pair) for pair in zip(ends[::2], ends[1::2], strict=True)]
        return [(stretch, stretch) for stretch in between]
    return []


def _ends(hole: Hole) -> tuple[int, int]:
    return hole.start_frames, hole.stop_frames


def _added_under(made: Take, cutoff_hz: float, of: Region) -> float:
    """Energy of what was added under a cutoff, as a share of the region's."""
    change = np.fft.rfft(made.samples - np.float64(of.samples), axis=0)
    low = np.fft.rfftfreq(of.n_frames, 1 / of.rate) <= cutoff_hz
    present = np.square(np.abs(np.fft.rfft(np.float64(of.samples), axis=0))).sum()
    return float(np.square(np.abs(change[low])).sum() / present)
