"""What the edits share: a region into latents, a process into waveforms, takes into an order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from engine.clap import similarity
from engine.denoise import Guidance
from engine.edits import MAX_SEED, Edit
from engine.errors import FaultError, RequestError
from engine.masks import Box, Grid, curve_mask, flat_mask
from engine.model_input import ModelInput, model_input
from engine.networks import Networks, Process, Wave
from engine.progress import Reporter
from engine.region import Region, Take
from engine.samples import Samples

#: Takes that share a batch; the memory of a batch grows with it.
MAX_BATCH = 4
#: Shares of an edit's time at which its stages end.
ENCODED, DENOISED = 0.05, 0.85
#: Less than this is no sound to take an embedding from.
LEAST_HEARD_S = 0.1


def take_seeds(edit: Edit) -> list[int]:
    """The seed of every take: asking for one take with it gives it again."""
    return [(edit.seed + k) % (MAX_SEED + 1) for k in range(edit.takes)]


def encoded(
    networks: Networks,
    region: Region,
    report: Reporter,
    new_before_frames: int = 0,
    new_after_frames: int = 0,
) -> tuple[ModelInput, Tensor]:
    """What the model hears of a region, and its latents, shape = (n_channels, n_cells, n_bins)."""
    report(0.0, "encoding")
    model = model_input(
        region,
        networks.rate,
        new_before_frames=new_before_frames,
        new_after_frames=new_after_frames,
    )
    half = report.between(0.0, ENCODED / 2).stage("encoding")
    return model, networks.encode(model.samples, half)


def decoded(networks: Networks, source: Tensor, report: Reporter) -> Tensor:
    """What the VAE makes of the source itself: a log-mel, shape = (n_frames, n_mels)."""
    return networks.decode(source, report.between(ENCODED / 2, ENCODED).stage("encoding"))


def guidance(networks: Networks, edit: Edit, heard: Samples | None = None) -> Guidance:
    """What pulls an edit: its prompt, or without one what is heard, or the empty text.

    Parameters
    ----------
    networks : Networks
    edit : Edit
    heard : ndarray of float32, shape = (n_samples,), optional
        The source at the model's rate; it needs an audio tower to count.
    """
    clap = networks.clap
    if edit.prompt or not clap.hears or heard is None or not heard.any():
        towards = clap.text(edit.prompt)
    else:
        towards = clap.audio(heard, networks.rate)
    return Guidance(towards, clap.text(edit.negative), edit.guidance)


def own_guidance(networks: Networks, edit: Edit, heard: Samples) -> Guidance:
    """What pulls a variation: the source's own embedding, halfway to the prompt if there is one."""
    own = guidance(networks, replace(edit, prompt=""), heard)
    if not edit.prompt:
        return own
    towards = own.towards + networks.clap.text(edit.prompt)
    return replace(own, towards=nn.functional.normalize(towards, dim=-1))


def voiced(
    networks: Networks, process: Process, edit: Edit, report: Reporter
) -> Iterator[tuple[Wave, Tensor]]:
    """Waveform, shape = (n_samples,), and log-mel, shape = (n_frames, n_mels), of every take."""
    seeds = take_seeds(edit)
    latents = list(_latents(networks, process, edit, report))
    for k, new in enumerate(latents):
        own = report.between(DENOISED, 1.0).part(k, len(seeds))
        own(0.0, "decoding")
        mel = networks.decode(new, own.between(0.0, 0.4).stage("decoding"))
        wave = networks.voice(mel, own.between(0.4, 0.7).stage("decoding"))
        own(0.7, "rendering")
        yield wave, mel


def _latents(
    networks: Networks, process: Process, edit: Edit, report: Reporter
) -> Iterator[Tensor]:
    seeds = take_seeds(edit)
    steps_report = report.between(ENCODED, DENOISED)
    batches = [seeds[at : at + MAX_BATCH] for at in range(0, len(seeds), MAX_BATCH)]
    for index, batch in enumerate(batches):

        def on_step(step: int, steps: int, index: int = index) -> None:
            done, all_steps = index * steps + step, len(batches) * steps
            steps_report(done / all_steps, "denoising", done, all_steps)

        steps_report(index / len(batches), "denoising")
        latents = networks.run(replace(process, seeds=batch), edit, on_step)
        if not torch.isfinite(latents).all():
            raise FaultError(
                "internal", "the model answered with NaN; load it with dtype 'fp32' instead"
            )
        yield from latents


def box(
    model: ModelInput,
    start_frames: int,
    stop_frames: int,
    low_hz: float | None = None,
    high_hz: float | None = None,
) -> Box:
    """Host frames, counted from the region's start, in the model's time."""
    scale = model.rate / model.host_rate
    return Box(
        (model.before_frames + start_frames) * scale,
        (model.before_frames + stop_frames) * scale,
        low_hz or 0.0,
        float("inf") if high_hz is None else high_hz,
    )


def without(model: ModelInput, boxes: Sequence[Box]) -> Samples:
    """The model's wave less the stretches to be filled; all of it where too little is left."""
    kept = np.ones(model.n_samples, bool)
    for b in boxes:
        if b.low_hz == 0.0 and b.high_hz >= model.rate / 2:
            kept[round(b.start_samples) : round(b.stop_samples)] = False
    left: Samples = model.samples[kept]
    return left if len(left) >= LEAST_HEARD_S * model.rate else model.samples


def strengths_of(
    grid: Grid, model: ModelInput, strength: float, curve: Sequence[tuple[float, float]]
) -> Tensor:
    """Strength of every cell, from one figure or from (seconds, strength) points."""
    if not curve:
        return flat_mask(grid, strength)
    start = model.before_frames * model.rate / model.host_rate
    return curve_mask(grid, [(start + at * model.rate, value) for at, value in curve])


def check_sounding(region: Region, edit: Edit) -> None:
    """RequestError (`bad-value`) for digital silence: there is nothing to make it from."""
    if not region.samples.any():
        raise RequestError(
            "bad-value",
            f"the region is digital silence, which {edit.name} can't change; "
            "use generate or inpaint to make sound from nothing",
        )


def rank(
    networks: Networks, takes: Sequence[Take], reference: Tensor, where: tuple[int, int]
) -> list[Take]:
    """Takes with their CLAP similarity to a reference embedding, best first.

    Parameters
    ----------
    networks : Networks
        With an audio tower.
    takes : sequence of Take
    reference : Tensor, shape = (width,)
    where : tuple of int
        Frames (start, stop) to listen to.
    """
    scored = [replace(take, score=_score(networks, take, reference, where)) for take in takes]
    return sorted(scored, key=lambda take: take.score or 0.0, reverse=True)


def _score(networks: Networks, take: Take, reference: Tensor, where: tuple[int, int]) -> float:
    around = round(LEAST_HEARD_S * take.rate)
    start, stop = max(0, where[0] - around), where[1] + around
    return similarity(hear(networks, Region(take.samples[start:stop], take.rate)), reference)


def hear(networks: Networks, region: Region) -> Tensor:
    """CLAP embedding of a region, shape = (width,)."""
    return networks.clap.audio(model_input(region, networks.rate).samples, networks.rate)
