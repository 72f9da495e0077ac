"""Model domain to host domain: the second of the two doors, where the host's promises are kept.

Every function takes the vocoder's wave for the whole span of a `ModelInput`, at the checkpoint's
rate, and gives samples at the region's rate with exactly the frames asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from engine.air import add_air
from engine.edits import Hole
from engine.errors import FaultError
from engine.highs import check_cutoff, find_cutoff, high_change
from engine.holes import fade_open_end, fill_holes, fill_new, loop_region
from engine.hybrid import Spectra, hybrid_change
from engine.loudness import rms
from engine.model_input import PEAK, ModelInput, model_input
from engine.own_sound import OwnSound
from engine.peaks import Level, match_level
from engine.progress import OnPart, unheard
from engine.region import Region
from engine.resample import fit_length, resample
from engine.samples import Samples, blocks
from engine.touch import Share, Touch, blend

__all__ = [
    "ModelInput",
    "Spectra",
    "check_cutoff",
    "find_cutoff",
    "loop_region",
    "model_input",
    "render_bandwidth",
    "render_continue",
    "render_generate",
    "render_holes",
    "render_painted",
    "render_transfer",
]

EVERYWHERE = Touch()


def render_transfer(
    region: Region,
    model: ModelInput,
    wave: Samples,
    spectra: Spectra,
    how: str = "hybrid",
    mix: float = 1.0,
    touch: Touch = EVERYWHERE,
    own: OwnSound | None = None,
    on_part: OnPart = unheard,
) -> Samples:
    """A transferred region, at the source's loudness; its channels' constant offsets stay.

    A region in which the model hears nothing, a mere offset, stays as it is.

    Parameters
    ----------
    region : Region
    model : ModelInput
        What the model heard.
    wave : ndarray of float32, shape = (n_samples,)
        The vocoder's answer for the whole span of `model`.
    spectra : Spectra
        Decoded mels of source and result over the same span.
    how : str
        "hybrid": the model's change applied to the source itself; "vocoder": the model's own sound.
    mix : float
        Share of the new sound; 0 gives the region's own samples.
    touch : Touch
        Where the edit works; the rest keeps the region's own samples. The loudness is that of the
        stretches it works in; with bands left out it is the model's.
    own : OwnSound, optional
        The region's, where it is known from another take.
    on_part : callable
        As in `hybrid_change`.

    Returns
    -------
    samples : ndarray of float32, shape = (n_frames, n_channels)

    Raises
    ------
    FaultError
        `internal`: the model answered with NaN, or with silence where the source sounds.
    """
    # Of nothing but an offset the model has heard no level, so that its answer has none either.
    if mix == 0.0 or not model.samples.any():
        return np.array(region.samples)
    fresh = host_wave(model, wave)
    if not wave.any():
        raise FaultError("internal", "the model answered with silence; try another seed")
    own = own or OwnSound(region.samples, region.rate)
    if how == "hybrid":
        _check_mels(spectra)
        change = hybrid_change(own, model, fresh, spectra, on_part)
    else:
        change = _replacement(own, model, fresh)
    change *= np.float32(mix)
    return _touched(region, own, change, touch, on_round=lambda: on_part(1.0))


def _replacement(own: OwnSound, model: ModelInput, fresh: Samples) -> Samples:
    """The change from a region's own sound to new sound of one channel."""
    change = own.weights.spread(add_air(fresh, own.samples, own.rate, model.rate))
    change -= own.samples
    return change


def render_painted(
    region: Region, model: ModelInput, wave: Samples, touch: Touch, mix: float = 1.0
) -> Samples:
    """A region with new sound where a mask is painted; in its dark stretches the region's own.

    Raises
    ------
    FaultError
        `internal`: the model answered with NaN.
    """
    if mix == 0.0:
        return np.array(region.samples)
    own = OwnSound(region.samples, region.rate)
    change = _replacement(own, model, host_wave(model, wave))
    change *= np.float32(mix)
    return _touched(region, own, change, touch, is_matched=False)


def _touched(
    region: Region,
    own: OwnSound,
    change: Samples,
    touch: Touch,
    is_matched: bool = True,
    on_round: Callable[[], None] = lambda: None,
) -> Samples:
    """A region and as much of a change as belongs to it, at its loudness; `change` is spent."""
    if touch.is_over_frequency:
        change, is_matched = touch.keep_bands(change, region.rate), False
    share = None if touch.is_everywhere else touch.over_time(region.n_frames, region.rate)
    if is_matched:
        _match(own, change, share, on_round)
    # The region's own samples, and not own.samples and the offset: where nothing changes the sum
    # is the sample itself.
    change += region.samples
    if share is not None:
        blend(change, region.samples, share)
    return change


def _match(
    own: OwnSound, change: Samples, share: Share | None, on_round: Callable[[], None]
) -> None:
    """Make a change, in place, one to sound as loud as a region's own, its offset left out."""
    source, rate = own.samples, own.rate
    change += source
    if share is not None and not share.all():
        inside = share > 0.0
        matched = change[inside]
        match_level(matched, Level.of(source[inside], rate), rate, on_round)
        change[inside] = matched
    else:
        match_level(change, own.level, rate, on_round)
    change -= source


def host_wave(model: ModelInput, wave: Samples) -> Samples:
    """The part of a wave that lies in the region, at the host's rate and level.

    Parameters
    ----------
    model : ModelInput
    wave : ndarray of float32, shape = (n_samples,)

    Returns
    -------
    fresh : ndarray of float32, shape = (region_frames,)
    """
    return _whole_wave(model, wave)[1]


def _whole_wave(model: ModelInput, wave: Samples) -> tuple[Samples, Samples, Samples]:
    """What of a wave lies before the region, in it and after it, at the host's rate and level."""
    check_wave(wave)
    wave = fit_length(wave, model.n_samples)
    whole = resample(wave, model.rate, model.host_rate, model.span_frames)
    whole = whole * np.float32(model.gain)
    start, stop = model.before_frames, model.before_frames + model.region_frames
    return whole[:start], whole[start:stop], whole[stop:]


def check_wave(wave: Samples) -> None:
    """FaultError (`internal`) naming the first sample that is not finite."""
    for start, stop in blocks(0, len(wave), 1):
        bad = np.flatnonzero(~np.isfinite(wave[start:stop]))
        if len(bad):
            raise FaultError(
                "internal",
                f"the model answered with {wave[start + bad[0]]} at sample {start + bad[0]}; "
                "try another seed, or fp32 instead of a shorter number format",
            )


def _check_mels(spectra: Spectra) -> None:
    for mel in (spectra.mel_source, spectra.mel_result):
        if not np.isfinite(mel).all():
            raise FaultError(
                "internal",
                "the model's decoded mel is not finite; try another seed, or fp32 instead of a "
                "shorter number format",
            )


def render_holes(
    region: Region, model: ModelInput, wave: Samples, holes: Sequence[Hole], mix: float = 1.0
) -> Samples:
    """A region with its holes filled; outside them every sample is the region's own.

    A loop's seam is a hole of the region that `loop_region` gives.

    Raises
    ------
    RequestError
        `bad-value`: a hole outside the region or its band.
    FaultError
        `internal`: the model answered with NaN.
    """
    if mix == 0.0:
        return np.array(region.samples)
    before, inside, after = _whole_wave(model, wave)
    filled = fill_holes(region, inside, holes, model.rate, (before, after))
    return _mixed(region, filled, mix)


def _mixed(region: Region, filled: Samples, mix: float) -> Samples:
    if mix != 1.0:
        # Where both are the same the difference is 0 and the sum is the sample itself.
        filled -= region.samples
        filled *= np.float32(mix)
        filled += region.samples
    return filled


def render_bandwidth(
    region: Region,
    model: ModelInput,
    wave: Samples,
    cutoff_hz: float,
    mix: float = 1.0,
    on_part: OnPart = unheard,
) -> Samples:
    """A region with new highs above a cutoff; what it adds below is under -100 dB.

    `on_part` hears as in `high_change`.

    Raises
    ------
    RequestError
        `bad-value`: a cutoff with no room above it.
    FaultError
        `internal`: the model answered with NaN.
    """
    if mix == 0.0:
        return np.array(region.samples)
    check_cutoff(region, cutoff_hz, model.rate)
    change = high_change(region, host_wave(model, wave), cutoff_hz, on_part)
    change *= np.float32(mix)
    change += region.samples
    return change


def render_continue(
    region: Region, model: ModelInput, wave: Samples, new_frames: int, direction: str = "after"
) -> Samples:
    """A region with `new_frames` more after its end, or before its start; its own part is
    untouched.

    `model` is made with `new_after_frames` (or `new_before_frames`) of the same number.

    Returns
    -------
    samples : ndarray of float32, shape = (n_frames + new_frames, n_channels)
    """
    return fill_new(region, host_wave(model, wave), new_frames, direction, model.rate)


def render_generate(
    wave: Samples, model_rate: int, rate: int, n_channels: int, n_frames: int
) -> Samples:
    """A generated clip: the same sound on every channel, peaks held under full scale.

    Raises
    ------
    FaultError
        `internal`: NaN, or silence.
    """
    check_wave(wave)
    made = resample(wave, model_rate, rate, n_frames)[:, np.newaxis]
    if n_frames > rate // 10 and rms(made) == 0.0:
        raise FaultError("internal", "the model answered with silence; try another seed")
    peak = float(np.abs(made).max(initial=0.0))
    made = made * np.float32(min(1.0, PEAK / max(peak, PEAK)))
    fade_open_end(made, rate, "after")
    fade_open_end(made, rate, "before")
    return np.repeat(made, n_channels, axis=1)
