"""What the edits share: a region into latents, and a process into waveforms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count, islice, repeat
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from engine.cache import fingerprint
from engine.denoise import Guidance
from engine.edits import MAX_SEED, Edit, Hole
from engine.errors import FaultError, RequestError
from engine.exploring import past_seeds
from engine.guess import across_holes, highs_goes_on
from engine.masks import Box, Grid, curve_mask, flat_mask, painted_mask
from engine.model_input import ModelInput, model_input
from engine.networks import MelChange, Networks, Process, Wave
from engine.own_sound import OwnSound
from engine.painted import Painted
from engine.progress import OnPart, Reporter, unheard
from engine.region import Region
from engine.samples import Samples
from engine.timeline import Timeline, text_weights, texts_of

T = TypeVar("T")

#: Takes that share a batch; the memory of a batch grows with it.
MAX_BATCH = 4
#: Takes of so many bytes together are rendered at a time: each needs some five times its own.
MAX_RENDERED_BYTES = 2**26
#: Shares of an edit's time at which its stages end.
ENCODED, DENOISED = 0.05, 0.85
#: And shares of a take's own part of what is left then.
DECODED, VOICED = 0.4, 0.7
#: Less than this is no sound to take an embedding from.
LEAST_HEARD_S = 0.1


def take_seeds(edit: Edit) -> list[int]:
    """The seed of every take: asking for one take with it gives it again.

    A search around a take leaves out the seeds that led to it: they would give it again.
    """
    known = past_seeds(edit.around)
    seeds = ((edit.seed + k) % (MAX_SEED + 1) for k in count())
    return list(islice((seed for seed in seeds if seed not in known), edit.takes))


def encoded(
    networks: Networks,
    region: Region,
    report: Reporter,
    new_before_frames: int = 0,
    new_after_frames: int = 0,
    guess: Guess | None = None,
) -> tuple[ModelInput, Tensor]:
    """What the model hears of a region, and its latents, shape = (n_channels, n_cells, n_bins).

    With a `guess` the latents are those of the log-mel it makes. Kept for the next edit of the same
    region: write into neither.
    """
    report(0.0, "encoding")

    def make() -> tuple[ModelInput, Tensor]:
        model = model_input(
            region,
            networks.rate,
            new_before_frames=new_before_frames,
            new_after_frames=new_after_frames,
        )
        half = report.between(0.0, ENCODED / 2).stage("encoding")
        change = guess and guess.for_model(networks, model)
        return model, networks.encode(model.samples, half, change)

    key = "latents", content(region), new_before_frames, new_after_frames, guess
    return networks.kept.get(key, make, lambda made: made[0].samples.nbytes + made[1].nbytes)


@dataclass(frozen=True)
class Guess:
    """What is missing of a region: holes, or all above a cutoff; see guess.py."""

    holes: tuple[Hole, ...] = ()
    cutoff_hz: float = 0.0

    def for_model(self, networks: Networks, model: ModelInput) -> MelChange:
        """The log-mel of what the model hears to the one with a guess in it."""
        where = networks.mel_grid(model.n_samples)
        if self.cutoff_hz:
            return lambda mel: highs_goes_on(mel, self.cutoff_hz, where)
        boxes = hole_boxes(model, self.holes)
        return lambda mel: across_holes(mel, boxes, where)


def decoded(networks: Networks, source: Tensor, report: Reporter) -> Tensor:
    """What the VAE makes of the source itself: a log-mel, shape = (n_frames, n_mels).

    Kept for the next edit of the same region: don't write into it.
    """
    report_half = report.between(ENCODED / 2, ENCODED).stage("encoding")
    key = "mel", fingerprint(source.numpy())
    return networks.kept.get(key, lambda: networks.decode(source, report_half), _n_bytes)


def own_sound(networks: Networks, region: Region) -> OwnSound:
    """What rendering needs to know of a region; kept for the next edit of it."""
    key = fingerprint(region.rate, region.samples)
    return networks.own_sounds.get(
        key, lambda: OwnSound(region.samples, region.rate), lambda own: own.n_bytes
    )


def content(region: Region) -> bytes:
    """A region's samples, rate and surroundings: all that the model hears depends on."""
    return fingerprint(region.rate, region.before, region.samples, region.after)


def _n_bytes(tensor: Tensor) -> int:
    return tensor.nbytes


def guidance(
    networks: Networks, edit: Edit, heard: Samples | None = None, on_part: OnPart = unheard
) -> Guidance:
    """What pulls an edit: its prompt, or without one what is heard, or the empty text.

    `guidances` is the same where texts change over time.

    Parameters
    ----------
    networks : Networks
    edit : Edit
    heard : ndarray of float32, shape = (n_samples,), optional
        The source at the model's rate; it needs an audio tower to count.
    on_part : callable, optional
        Hears how much of the source has been heard.
    """
    clap = networks.clap
    if edit.prompt or not clap.hears or heard is None or not heard.any():
        towards = clap.text(edit.prompt)
    else:
        towards = heard_as(networks, heard, on_part)
    return Guidance(towards, clap.text(edit.negative), edit.guidance)


def guidances(
    networks: Networks,
    edit: Edit,
    grid: Grid,
    start_samples: float = 0.0,
    heard: Samples | None = None,
    on_part: OnPart = unheard,
) -> Guidance | Timeline:
    """What pulls an edit, each of its texts over its own time.

    Parameters
    ----------
    networks : Networks
    edit : Edit
    grid : Grid
    start_samples : float
        Where second 0 of the texts lies on the grid.
    heard : ndarray of float32, shape = (n_samples,), optional
    on_part : callable, optional
        As in `guidance`.
    """
    prompts = getattr(edit, "prompts", ())
    if not prompts:
        return guidance(networks, edit, heard, on_part)
    texts, times_s = texts_of(edit.prompt, prompts)
    cells_s = ((np.arange(grid.n_cells) + 0.5) * grid.cell_samples - start_samples) / grid.rate
    weights = text_weights(times_s, cells_s)
    pulls = [guidance(networks, replace(edit, prompt=text)) for text in texts]
    return Timeline(tuple(zip(pulls, weights, strict=True)))


def heard_as(networks: Networks, wave: Samples, on_part: OnPart) -> Tensor:
    """CLAP embedding of a source at the model's rate, shape = (width,); kept for the next edit."""
    key = "heard", fingerprint(wave)
    return networks.kept.get(
        key, lambda: networks.clap.audio(wave, networks.rate, on_part), _n_bytes
    )


def preserving(
    networks: Networks, edit: Edit, heard: Samples, on_part: OnPart = unheard
) -> dict[str, Any]:
    """What a process needs to keep the performance of what is heard, if the edit asks for it."""
    preserve = float(getattr(edit, "preserve", 0.0))
    if preserve == 0.0:
        return {}
    own = replace(guidance(networks, replace(edit, prompt=""), heard, on_part), weight=1.0)
    return {"preserve": preserve, "own": own}


def own_guidance(
    networks: Networks, edit: Edit, heard: Samples, on_part: OnPart = unheard
) -> Guidance:
    """What pulls a variation: the source's own embedding, halfway to the prompt if there is one."""
    own = guidance(networks, replace(edit, prompt=""), heard, on_part)
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
        mel = networks.decode(new, own.between(0.0, DECODED).stage("decoding"))
        wave = networks.voice(mel, own.between(DECODED, VOICED).stage("decoding"))
        own(VOICED, "rendering")
        yield wave, mel


def rendered(
    takes: Iterable[T],
    render: Callable[[T, OnPart], Samples],
    each_bytes: int,
    n_takes: int,
    report: Reporter,
) -> list[Samples]:
    """What is rendered of every take, as many at a time as the networks have threads.

    Rendering is NumPy's and SciPy's work, and they keep to the thread that asks.

    Parameters
    ----------
    takes : iterable
        Their networks' work is done one by one, before the first is rendered.
    render : callable
        May run in several threads at once.
    each_bytes : int
        Size of a take: of long ones not so many are rendered at a time.
    n_takes : int
    report : Reporter
        Hears of takes that are rendered one by one; others are short.
    """
    n_at_once = min(torch.get_num_threads(), MAX_RENDERED_BYTES // each_bytes, n_takes)
    if n_at_once > 1:
        with ThreadPoolExecutor(n_at_once, "render", torch.set_flush_denormal, (True,)) as pool:
            return list(pool.map(render, list(takes), repeat(unheard)))
    parts = (
        report.between(DENOISED, 1.0).part(k, n_takes).between(VOICED, 1.0) for k in range(n_takes)
    )
    return [render(take, part.stage("rendering")) for take, part in zip(takes, parts, strict=True)]


def _latents(
    networks: Networks, process: Process, edit: Edit, report: Reporter
) -> Iterator[Tensor]:
    seeds = take_seeds(edit)
    steps_report = report.between(ENCODED, DENOISED)
    batches = [seeds[at : at + MAX_BATCH] for at in range(0, len(seeds), MAX_BATCH)]
    for index, batch in enumerate(batches):
        steps = _Steps(steps_report, index, len(batches))
        latents = networks.run(replace(process, seeds=batch), edit, steps.on_step, steps.say)
        if not torch.isfinite(latents).all():
            raise FaultError(
                "internal", "the model answered with NaN; load it with dtype 'fp32' instead"
            )
        yield from latents


class _Steps:
    """Says how far one of several batches of takes is: after every step, and, as a step of a long
    clip takes seconds, once more after each of its windows."""

    def __init__(self, report: Reporter, batch: int, n_batches: int) -> None:
        self._report, self._batch, self._n_batches = report, batch, n_batches
        self._share, self._done, self._steps = batch / n_batches, 0, 0
        self.say()

    def on_step(self, step: int, steps: int) -> None:
        self._done, self._steps = self._batch * steps + step, self._n_batches * steps
        self._share = self._done / self._steps
        self.say()

    def say(self, _: float = 0.0) -> None:
        self._report(self._share, "denoising", self._done, self._steps)


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


def hole_boxes(model: ModelInput, holes: Sequence[Hole]) -> list[Box]:
    """Holes in the model's time."""
    return [box(model, h.start_frames, h.stop_frames, h.low_hz, h.high_hz) for h in holes]


def without(model: ModelInput, boxes: Sequence[Box]) -> Samples:
    """The model's wave less the stretches to be filled; all of it where too little is left."""
    kept = np.ones(model.n_samples, bool)
    for b in boxes:
        if b.low_hz == 0.0 and b.high_hz >= model.rate / 2:
            kept[round(b.start_samples) : round(b.stop_samples)] = False
    left: Samples = model.samples[kept]
    return left if len(left) >= LEAST_HEARD_S * model.rate else model.samples


def strengths_of(
    grid: Grid,
    model: ModelInput,
    strength: float,
    curve: Sequence[tuple[float, float]],
    mask: Painted | None = None,
) -> Tensor:
    """Strength of every cell, from one figure or from (seconds, strength) points, less where a
    mask is dark."""
    start = start_of(model)
    if curve:
        strengths = curve_mask(grid, [(start + at * model.rate, value) for at, value in curve])
    else:
        strengths = flat_mask(grid, strength)
    return strengths if mask is None else strengths * painted_mask(grid, mask.at, start)


def start_of(model: ModelInput) -> float:
    """Model sample of the region's first frame, fractions kept."""
    return model.before_frames * model.rate / model.host_rate


def check_sounding(region: Region, edit: Edit) -> None:
    """RequestError (`bad-value`) for digital silence: there is nothing to make it from."""
    if not region.samples.any():
        raise RequestError(
            "bad-value",
            f"the region is digital silence, which {edit.name} can't change; "
            "use generate or inpaint to make sound from nothing",
        )
