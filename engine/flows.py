"""The seven edits, each a list of calls that reads as the way of a clip.

region ─► excerpt ─► model input ─► latents ─► reverse process ─► mel ─► waveform ─► render
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from engine import units
from engine.edits import Bandwidth, Continue, Edit, Generate, Hole, Inpaint, Loop, Transfer, Vary
from engine.errors import RequestError
from engine.holes import check_holes, loop_region
from engine.hybrid import Spectra
from engine.masks import Box, fill_mask, flat_mask
from engine.networks import Networks, Process
from engine.progress import Reporter
from engine.region import Region
from engine.render import (
    check_cutoff,
    find_cutoff,
    render_bandwidth,
    render_continue,
    render_generate,
    render_holes,
    render_transfer,
)
from engine.samples import Samples
from engine.spans import around_holes, excerpt, with_context
from engine.takes import (
    box,
    check_sounding,
    decoded,
    encoded,
    guidance,
    own_guidance,
    strengths_of,
    voiced,
    without,
)

#: What an edit of a whole region hears of its surroundings, so that no border of the model's shows.
BORDER_S = 0.32

#: (networks, region, edit, report) to the samples of every take, in the order of their seeds.
Flow = Callable[[Networks, Any, Any, Reporter], list[Samples]]


def generate(networks: Networks, _: None, edit: Generate, report: Reporter) -> list[Samples]:
    """Text to audio, from noise alone."""
    n_frames = max(1, units.seconds_to_frames(edit.seconds, edit.rate))
    n_samples = units.rescale_up(n_frames, edit.rate, networks.rate)
    ones = flat_mask(networks.grid(n_samples), 1.0)
    process = Process(networks.silence(n_samples), ones, guidance(networks, edit))
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
    strengths = strengths_of(networks.grid(model.n_samples), model, strength, curve)
    if not strengths.any():  # the curve rises only after the region
        return [np.array(region.samples) for _ in range(edit.takes)]
    pull = own_guidance if isinstance(edit, Vary) else guidance
    process = Process(
        source,
        strengths,
        pull(networks, edit, model.samples),
        start=float(strengths.max()),
        forget=False,
    )
    before = decoded(networks, source, report)
    return [
        render_transfer(near, model, wave, _spectra(networks, before, mel), edit.render, edit.mix)
        for wave, mel in voiced(networks, process, edit, report)
    ]


def inpaint(networks: Networks, region: Region, edit: Inpaint, report: Reporter) -> list[Samples]:
    """Masked generation in holes; everything outside stays bit for bit."""
    check_holes(region, edit.holes)
    for hole in edit.holes:
        if (hole.low_hz or 0.0) >= networks.rate / 2:
            raise RequestError(
                "bad-value",
                f"hole starts at {hole.low_hz:g} Hz; "
                f"this checkpoint makes sound up to {networks.rate / 2:g} Hz",
            )
    return _filled(networks, region, edit.holes, edit, report)


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
        filled = _fill(networks, part.region, part.holes, edit, report.part(index, len(parts)))
        for whole, samples in zip(takes, filled, strict=True):
            part.paste(samples, whole)
    return takes


def _fill(
    networks: Networks,
    region: Region,
    holes: Sequence[Hole],
    edit: Inpaint | Loop,
    report: Reporter,
) -> list[Samples]:
    model, source = encoded(networks, region, report)
    boxes = [box(model, h.start_frames, h.stop_frames, h.low_hz, h.high_hz) for h in holes]
    process = Process(
        source,
        fill_mask(networks.grid(model.n_samples), boxes),
        guidance(networks, edit, without(model, boxes)),
        start=1.0,
        resample=edit.resample if isinstance(edit, Inpaint) else 1,
    )
    return [
        render_holes(region, model, wave, holes, edit.mix)
        for wave, _mel in voiced(networks, process, edit, report)
    ]


def bandwidth(
    networks: Networks, region: Region, edit: Bandwidth, report: Reporter
) -> list[Samples]:
    """Audio super-resolution: the highs are a hole as long as the region."""
    check_sounding(region, edit)
    cutoff_hz = _cutoff_hz(region, edit, networks.rate)
    near = _near(networks, region)
    model, source = encoded(networks, near, report)
    highs = Box(0.0, float("inf"), low_hz=cutoff_hz)
    process = Process(
        source,
        fill_mask(networks.grid(model.n_samples), [highs]),
        # Not the region's own embedding: a dull sound's asks for dullness.
        guidance(networks, edit),
        start=1.0,
        resample=edit.resample,
    )
    return [
        render_bandwidth(near, model, wave, cutoff_hz, edit.mix)
        for wave, _mel in voiced(networks, process, edit, report)
    ]


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
    heard_s = max(networks.window_s - edit.seconds, networks.shortest_s)
    heard = min(region.n_frames, units.seconds_to_frames(heard_s, region.rate))
    first = region.n_frames - heard if after else 0
    near = excerpt(region, first, first + heard)
    room = (0, new_frames) if after else (new_frames, 0)
    model, source = encoded(networks, near, report, *room)
    hole = box(model, heard, heard + new_frames) if after else box(model, 0, new_frames)
    process = Process(
        source,
        fill_mask(networks.grid(model.n_samples), [hole]),
        guidance(networks, edit, without(model, [hole])),
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
