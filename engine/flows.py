"""The seven edits, each a list of calls that reads as the way of a clip.

region ─► excerpt ─► model input ─► latents ─► reverse process ─► mel ─► waveform ─► render
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from engine import units
from engine.denoise import Guidance
from engine.edits import Bandwidth, Continue, Edit, Generate, Hole, Inpaint, Loop, Transfer, Vary
from engine.errors import RequestError
from engine.guess import HIGHS_STRENGTH, HOLE_STRENGTH
from engine.holes import check_holes, loop_region
from engine.hybrid import Spectra
from engine.masks import Box, fill_mask, flat_mask
from engine.model_input import ModelInput
from engine.networks import Networks, Process
from engine.painted import Painted, painted
from engine.progress import OnPart, Reporter
from engine.region import Region
from engine.render import (
    check_cutoff,
    find_cutoff,
    render_bandwidth,
    render_continue,
    render_generate,
    render_holes,
    render_painted,
    render_transfer,
)
from engine.samples import Samples, check_size
from engine.spans import Excerpt, around_holes, excerpt, with_context
from engine.takes import (
    ENCODED,
    Guess,
    box,
    check_sounding,
    decoded,
    encoded,
    guidance,
    guidances,
    hole_boxes,
    own_guidance,
    own_sound,
    preserving,
    rendered,
    start_of,
    strengths_of,
    voiced,
    without,
)
from engine.timeline import Timeline
from engine.touch import Touch

#: What an edit of a whole region hears of its surroundings, so that no border of the model's shows.
BORDER_S = 0.32

#: A line across a hole needs so much sound on both sides.
BESIDE_S = 0.1

#: (networks, region, edit, report) to the samples of every take, in the order of their seeds.
Flow = Callable[[Networks, Any, Any, Reporter], list[Samples]]


def generate(networks: Networks, _: None, edit: Generate, report: Reporter) -> list[Samples]:
    """Text to audio, from noise alone."""
    n_frames = max(1, units.seconds_to_frames(edit.seconds, edit.rate))
    check_size(n_frames, edit.channels, "the take")
    n_samples = units.rescale_up(n_frames, edit.rate, networks.rate)
    grid = networks.grid(n_samples)
    pull = guidances(networks, edit, grid)
    process = Process(networks.silence(n_samples), flat_mask(grid, 1.0), pull)
    return [
        render_generate(wave[:n_samples], networks.rate, edit.rate, edit.channels, n_frames)
        for wave, _mel in voiced(networks, process, edit, report)
    ]


def transfer(networks: Networks, region: Region, edit: Transfer, report: Reporter) -> list[Samples]:
    """Style transfer: noised as far as the strength says, then denoised under the text."""
    return _shallow(networks, region, edit, edit.strength, edit.curve, report)


def vary(networks: Networks, region: Region, edit: Vary, report: Reporter) -> list[Samples]:
    """A relative of the region: the same, under the region's own CLAP embedding."""
    return _shallow(networks, region, edit, edit.amount, (), report)


def _shallow(
    networks: Networks,
    region: Region,
    edit: Transfer | Vary,
    strength: float,
    curve: Sequence[tuple[float, float]],
    report: Reporter,
) -> list[Samples]:
    check_sounding(region, edit)
    near = _near(networks, region)
    model, source = encoded(networks, near, report)
    mask = _mask_of(edit, region)
    touch, grid = Touch(curve, mask), networks.grid(model.n_samples)
    strengths = strengths_of(grid, model, strength, curve, mask)
    # The curve rises only after the region, or the mask is dark.
    if not (strengths.any() and touch.over_time(region.n_frames, region.rate).any()):
        return [np.array(region.samples) for _ in range(edit.takes)]
    heard = model.samples, report.between(ENCODED / 2, ENCODED / 2).stage("encoding")
    if isinstance(edit, Vary):
        pull: Guidance | Timeline = own_guidance(networks, edit, *heard)
    else:
        pull = guidances(networks, edit, grid, start_of(model), *heard)
    process = Process(
        source,
        strengths,
        pull,
        start=float(strengths.max()),
        forget=False,
        **preserving(networks, edit, *heard),
    )
    before, own = decoded(networks, source, report), own_sound(networks, near)

    def render(take: tuple[Samples, torch.Tensor], on_part: OnPart) -> Samples:
        how = _spectra(networks, before, take[1]), edit.render, edit.mix, touch, own, on_part
        return render_transfer(near, model, take[0], *how)

    takes = voiced(networks, process, edit, report)
    return rendered(takes, render, region.samples.nbytes, edit.takes, report)


def _mask_of(edit: Edit, region: Region) -> Painted | None:
    mask = getattr(edit, "mask", ())
    return painted(mask, region) if mask else None


def inpaint(networks: Networks, region: Region, edit: Inpaint, report: Reporter) -> list[Samples]:
    """Masked generation in holes or under a mask; everything outside stays bit for bit."""
    if edit.mask:
        return _painted_over(networks, region, edit, report)
    check_holes(region, edit.holes)
    for hole in edit.holes:
        if (hole.low_hz or 0.0) >= networks.rate / 2:
            raise RequestError(
                "bad-value",
                f"hole starts at {hole.low_hz:g} Hz; "
                f"this checkpoint makes sound up to {networks.rate / 2:g} Hz",
            )
    return _filled(networks, region, edit.holes, edit, report)


def _painted_over(
    networks: Networks, region: Region, edit: Inpaint, report: Reporter
) -> list[Samples]:
    """Masked generation as strongly as a mask is painted, cell by cell."""
    mask = painted(edit.mask, region)
    part = _around_mask(networks, region, mask)
    if part is None:
        return [np.array(region.samples) for _ in range(edit.takes)]
    mask = mask.moved(-part.start_frames / region.rate)
    model, source = encoded(networks, part.region, report)
    grid = networks.grid(model.n_samples)
    strengths = strengths_of(grid, model, 1.0, (), mask.within(part.region.length_s))
    process = Process(
        source,
        strengths,
        guidances(networks, edit, grid, start_of(model) - _later(part, model), model.samples),
        start=float(strengths.max()),
        resample=edit.resample,
    )
    takes = [np.array(region.samples) for _ in range(edit.takes)]
    if process.start:
        waves = voiced(networks, process, edit, report)
        for whole, (wave, _mel) in zip(takes, waves, strict=True):
            part.paste(render_painted(part.region, model, wave, Touch((), mask), edit.mix), whole)
    return takes


def _around_mask(networks: Networks, region: Region, mask: Painted) -> Excerpt | None:
    """What the model is shown of a region under a mask; None where the mask is dark."""
    first_s, last_s = mask.extent_s()
    start = units.seconds_to_frames(max(first_s, 0.0), region.rate)
    stop = units.seconds_to_frames(min(last_s, region.length_s), region.rate)
    if stop <= start:
        return None
    hole = Hole(start, min(stop, region.n_frames) - start)
    (part,) = around_holes(region, [hole], networks.window_s)
    return part


def _later(part: Excerpt, model: ModelInput) -> float:
    """Model samples from the whole region's first frame to the excerpt's."""
    return part.start_frames * model.rate / model.host_rate


def loop(networks: Networks, region: Region, edit: Loop, report: Reporter) -> list[Samples]:
    """Masked generation across the wrap point, the clip turned so that it lies in the middle."""
    turned, seam = loop_region(region, edit.seam)
    if seam is None:  # one frame repeats as it is
        return [np.array(region.samples) for _ in range(edit.takes)]
    takes = _filled(networks, turned, (seam,), edit, report)
    return [np.roll(samples, -(region.n_frames // 2), axis=0) for samples in takes]


def _filled(
    networks: Networks,
    region: Region,
    holes: Sequence[Hole],
    edit: Inpaint | Loop,
    report: Reporter,
) -> list[Samples]:
    takes = [np.array(region.samples) for _ in range(edit.takes)]
    parts = around_holes(region, holes, networks.window_s)
    for index, part in enumerate(parts):
        filled = _fill(networks, part, edit, report.part(index, len(parts)))
        for whole, samples in zip(takes, filled, strict=True):
            part.paste(samples, whole)
    return takes


def _fill(
    networks: Networks, part: Excerpt, edit: Inpaint | Loop, report: Reporter
) -> list[Samples]:
    region, holes = part.region, part.holes
    guess = Guess(tuple(holes)) if _is_repair(part, edit) else None
    strength = HOLE_STRENGTH if guess else 1.0
    model, source = encoded(networks, region, report, guess=guess)
    boxes = hole_boxes(model, holes)
    grid = networks.grid(model.n_samples)
    start = start_of(model) - _later(part, model)
    process = Process(
        source,
        strength * fill_mask(grid, boxes),
        guidances(networks, edit, grid, start, without(model, boxes)),
        start=strength,
        resample=edit.resample if isinstance(edit, Inpaint) else 1,
    )
    return [
        render_holes(region, model, wave, holes, edit.mix)
        for wave, _mel in voiced(networks, process, edit, report)
    ]


def _is_repair(part: Excerpt, edit: Inpaint | Loop) -> bool:
    """Whether a hole is to hold more of what sounds on both sides of it, and not what a text says:
    then a line across it is a guess worth starting from."""
    region = part.region
    first = min(hole.start_frames for hole in part.holes) + len(region.before)
    last = region.n_frames - max(hole.stop_frames for hole in part.holes) + len(region.after)
    is_asked_for = edit.prompt or getattr(edit, "prompts", ())
    return not is_asked_for and min(first, last) > BESIDE_S * region.rate


def bandwidth(
    networks: Networks, region: Region, edit: Bandwidth, report: Reporter
) -> list[Samples]:
    """Audio super-resolution: the highs are a hole as long as the region."""
    check_sounding(region, edit)
    cutoff_hz = _cutoff_hz(region, edit, networks.rate)
    near = _near(networks, region)
    model, source = encoded(networks, near, report, guess=Guess(cutoff_hz=cutoff_hz))
    highs = Box(0.0, float("inf"), low_hz=cutoff_hz)
    process = Process(
        source,
        HIGHS_STRENGTH * fill_mask(networks.grid(model.n_samples), [highs]),
        # Not the region's own embedding: a dull sound's asks for dullness.
        guidance(networks, edit),
        start=HIGHS_STRENGTH,
        resample=edit.resample,
    )

    def render(take: tuple[Samples, torch.Tensor], on_part: OnPart) -> Samples:
        return render_bandwidth(near, model, take[0], cutoff_hz, edit.mix, on_part)

    takes = voiced(networks, process, edit, report)
    return rendered(takes, render, region.samples.nbytes, edit.takes, report)


def _cutoff_hz(region: Region, edit: Bandwidth, model_rate: int) -> float:
    """The cutoff asked for, or the one found; RequestError where nothing fits above it."""
    if edit.cutoff > 0.0:
        check_cutoff(region, edit.cutoff, model_rate)
        return edit.cutoff
    found_hz = find_cutoff(region)
    try:
        check_cutoff(region, found_hz, model_rate)
    except RequestError as error:
        raise RequestError(
            "bad-value",
            f"the region's highs reach {found_hz:.0f} Hz and this checkpoint makes sound up to "
            f"{model_rate / 2:g} Hz: nothing is missing; give a cutoff to have highs replaced",
        ) from error
    return found_hz


def continue_(
    networks: Networks, region: Region, edit: Continue, report: Reporter
) -> list[Samples]:
    """Masked generation past the clip's end, or before its start."""
    after = edit.direction == "after"
    new_frames = max(1, units.seconds_to_frames(edit.seconds, region.rate))
    check_size(region.n_frames + new_frames, region.n_channels, "the take")
    heard_s = max(networks.window_s - edit.seconds, networks.shortest_s)
    heard = min(region.n_frames, units.seconds_to_frames(heard_s, region.rate))
    first = region.n_frames - heard if after else 0
    near = excerpt(region, first, first + heard)
    room = (0, new_frames) if after else (new_frames, 0)
    model, source = encoded(networks, near, report, *room)
    hole = box(model, heard, heard + new_frames) if after else box(model, 0, new_frames)
    grid = networks.grid(model.n_samples)
    # Texts over time count from where the new sound starts.
    process = Process(
        source,
        fill_mask(grid, [hole]),
        guidances(networks, edit, grid, hole.start_samples, without(model, [hole])),
        start=1.0,
    )
    rest = region.samples[:first] if after else region.samples[heard:]
    takes = []
    for wave, _mel in voiced(networks, process, edit, report):
        longer = render_continue(near, model, wave, new_frames, edit.direction)
        takes.append(np.concatenate((rest, longer) if after else (longer, rest)))
    return takes


def _near(networks: Networks, region: Region) -> Region:
    """A region with as much of its surroundings as an edit of all of it should hear."""
    return with_context(region, max(BORDER_S, (networks.shortest_s - region.length_s) / 2))


def _spectra(networks: Networks, before: torch.Tensor, after: torch.Tensor) -> Spectra:
    g = networks.geometry
    return Spectra(before.numpy(), after.numpy(), g.hop_samples, 0.0, g.rate / 2)


FLOWS: dict[type[Edit], Flow] = {
    Generate: generate,
    Transfer: transfer,
    Inpaint: inpaint,
    Bandwidth: bandwidth,
    Continue: continue_,
    Vary: vary,
    Loop: loop,
}
