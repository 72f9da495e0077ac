"""Highs above a cutoff: where they end, and new ones that leave every low as it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage, signal  # type: ignore[import-untyped]

from engine.errors import RequestError
from engine.fades import OPEN_FADE_S, fade_in
from engine.filters import band_taps, filtered, reach_frames
from engine.levels import CLIP_SHARE, PIECE_S, SMOOTH_PIECES, gains_between, piece_powers
from engine.progress import OnPart, unheard
from engine.region import Region
from engine.samples import Samples, blocks

#: New sound below the cutoff is this far down: promise 4 asks for 80 dB.
STOP_DB = 110.0
#: The filter rises over this share of the cutoff, all of it above the cutoff.
SLOPE_SHARE, LEAST_SLOPE_HZ = 0.1, 100.0
#: A moment's correction stays this close to the whole clip's.
MOST_SWING_DB = 12.0
#: A cutoff is where the spectrum falls by this much and never comes back.
DROP_DB = 24.0
LOWEST_CUTOFF_HZ = 500.0

Powers = npt.NDArray[np.float64]


def find_cutoff(region: Region) -> float:
    """Where the highs end, in Hz; the Nyquist frequency where they don't.

    The long-term spectrum is searched for the steepest step after which nothing reaches its level
    less 24 dB again. Silence, and clips too short to tell (under 512 frames), give the Nyquist
    frequency.
    """
    nyquist = region.rate / 2
    level_db, frequencies_hz = _long_term_spectrum(region)
    if not len(level_db):
        return nyquist
    width = max(3, round(300.0 / frequencies_hz[1]) | 1)
    below = ndimage.median_filter(level_db, width, origin=width // 2, mode="nearest")
    ahead = np.roll(level_db, -width)
    ahead[-width:] = np.inf  # a drop at the very top is the resampler's, not the clip's
    above = np.maximum.accumulate(np.where(np.isinf(ahead), -np.inf, ahead)[::-1])[::-1]
    drop = np.where(np.isinf(ahead), 0.0, below - above)
    drop[frequencies_hz < LOWEST_CUTOFF_HZ] = 0.0
    if drop.max() < DROP_DB:
        return nyquist
    at = int(np.argmax(drop))
    falls = np.flatnonzero(level_db[at : at + width + 1] < below[at] - 6.0)
    return float(frequencies_hz[at + (falls[0] if len(falls) else 0)])


def _long_term_spectrum(
    region: Region,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Smoothed level in dB by frequency; empty for silence and for clips under 512 frames."""
    length = 1 << int(np.clip(np.log2(region.rate / 12), 9, 14))
    length = min(length, 1 << (region.n_frames.bit_length() - 1))
    if length < 512:
        return np.zeros(0), np.zeros(0)
    power = np.zeros(length // 2 + 1)
    for start, stop in blocks(0, region.n_frames, region.n_channels):
        piece = region.samples[start:stop].astype(np.float64)
        if len(piece) >= length:
            density = signal.welch(piece, nperseg=length, window="blackmanharris", axis=0)[1]
            power += density.sum(axis=1)
    frequencies_hz = np.asarray(np.fft.rfftfreq(length, 1 / region.rate), np.float64)
    if power.max() <= 0.0:
        return np.zeros(0), np.zeros(0)
    level_db = 10 * np.log10(power / power.max() + 1e-14)
    return ndimage.uniform_filter1d(level_db, 3), frequencies_hz


def check_cutoff(region: Region, cutoff_hz: float, model_rate: int) -> None:
    """RequestError (`bad-value`) for a cutoff with no room for highs above it."""
    top_hz = min(region.rate, model_rate) / 2
    if not LEAST_SLOPE_HZ <= cutoff_hz <= 0.95 * top_hz:
        raise RequestError(
            "bad-value",
            f"cutoff is {cutoff_hz:g} Hz; for this region and checkpoint it must lie between "
            f"{LEAST_SLOPE_HZ:g} and {0.95 * top_hz:g} Hz",
        )


def high_change(
    region: Region, wave: Samples, cutoff_hz: float, on_part: OnPart = unheard
) -> Samples:
    """What bandwidth extension adds to a region, shape = (n_frames, n_channels).

    Nothing of it lies under the cutoff. Highs start and end a few milliseconds inside the region,
    so that the filter's own ringing ends inside too; a region shorter than that gets none.

    Parameters
    ----------
    region : Region
    wave : ndarray of float32, shape = (n_frames,)
        The vocoder's answer for the region, at the host's rate and level.
    cutoff_hz : float
    on_part : callable
        Hears the share that is done as it goes; it may raise to stop.
    """
    n_rounds = 1 + 2 * region.n_channels

    def round_of(index: int) -> OnPart:
        return lambda share: on_part((index + share) / n_rounds)

    slope_hz = max(LEAST_SLOPE_HZ, SLOPE_SHARE * cutoff_hz)
    taps = band_taps(cutoff_hz, region.rate / 2, slope_hz, region.rate, STOP_DB)
    window = _inner_window(region, reach_frames(taps))
    change = np.zeros(region.samples.shape, np.float32)
    if window is None:
        return change
    under = band_taps(cutoff_hz / 2, cutoff_hz, cutoff_hz / 10, region.rate, 60.0)
    piece = max(1, round(PIECE_S * region.rate))
    heard = piece_powers(filtered(wave, under, round_of(0))[:, np.newaxis], piece)[:, 0]
    for channel in range(region.n_channels):
        low = filtered(region.samples[:, channel], under, round_of(1 + 2 * channel))
        gains = _crossover_gains(piece_powers(low[:, np.newaxis], piece)[:, 0], heard)
        fresh = _scaled(wave, gains, piece) * window
        change[:, channel] = filtered(fresh, taps, round_of(2 + 2 * channel))
    return change


def _inner_window(region: Region, reach: int) -> Samples | None:
    """1 inside the region, 0 within `reach` frames of its ends; None where nothing is left."""
    fade = max(1, round(OPEN_FADE_S * region.rate))
    inner = region.n_frames - 2 * reach
    if inner < 2 * fade:
        return None
    window = np.zeros(region.n_frames, np.float32)
    window[reach : reach + inner] = 1.0
    window[reach : reach + fade] = fade_in(fade)[:, 0]
    window[reach + inner - fade : reach + inner] = fade_in(fade)[::-1, 0]
    return window


def _crossover_gains(source: Powers, heard: Powers) -> Powers:
    """Gain a piece that gives the new sound a channel's level in the octave under the cutoff, from
    both powers there."""
    overall = source.mean() / heard.mean() if heard.mean() > 0.0 else 0.0
    if overall == 0.0:
        overall = 0.0 if not source.any() else 1.0
    smooth_source = np.maximum(ndimage.uniform_filter1d(source, SMOOTH_PIECES), 0.0)
    smooth_heard = np.maximum(ndimage.uniform_filter1d(heard, SMOOTH_PIECES), 0.0)
    ratio = (smooth_source + CLIP_SHARE * source.mean() + 1e-40) / (
        smooth_heard + CLIP_SHARE * heard.mean() + 1e-40
    )
    swing = 10 ** (MOST_SWING_DB / 10)
    gains: Powers = np.sqrt(np.clip(ratio, overall / swing, overall * swing))
    return gains


def _scaled(wave: Samples, gains: Powers, piece: int) -> Samples:
    """A wave times gains that are interpolated from one piece to the next."""
    scaled = np.empty_like(wave)
    for start, stop in blocks(0, len(wave), 1):
        scaled[start:stop] = wave[start:stop] * gains_between(gains, piece, start, stop)
    return scaled
