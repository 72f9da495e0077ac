"""What a preset does to takes once they are made: chain, loudness, tail, and the host's promises.

The way of a take::

    take      ▁▂▅▇▅▂▁          the engine's, all new sound
    chain     ▁▂▅▇▆▅▄▃▂▁       at -20 dBFS, rings on
    end       ██████▆▃▁        what rings on fades, inside the region or after it
    share     ▁▂███████        where it may act: in holes and what is new, as far as a curve says
    mix       with the source, then the loudness asked for
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from engine import units
from engine.edits import Continue, Edit, Inpaint, Loop, Transfer
from engine.errors import RequestError
from engine.fades import fade_in
from engine.holes import loop_region
from engine.loudness import gated_powers, integrated_lufs, matching_gain, rms
from engine.painted import painted
from engine.progress import Listener, Progress
from engine.region import Region, Take
from engine.samples import Samples, blocks
from engine.spans import merged
from engine.touch import Touch, blend
from presets.chain import run_chain
from presets.preset import WHOLE_EDITS, Finish

#: Share of a job's time that the chain is thought to take.
CHAIN_SHARE = 0.1
#: Inside a hole the chain comes and goes in so long; a tail ends over this share of it.
EDGE_FADE_S, TAIL_FADE_SHARE = 0.02, 0.5
#: What rings fades inside the region over at most this share of it, and so long.
FOLD_SHARE, FOLD_S = 0.25, 0.25
#: A chain that leaves less than this (-120 dB) has left nothing.
SILENT_SHARE = 1e-6
#: Loudness needs so much sound; what is shorter is heard repeated.
GATE_S = 0.4

Share = npt.NDArray[np.float32]


class Editor(Protocol):
    """What makes takes: an Engine, or what stands in for one."""

    def takes(
        self, region: Region | None, edit: Edit, progress: Listener | None = None
    ) -> list[Take]:
        """The takes of an edit, best first."""


def finished_takes(
    engine: Editor,
    region: Region | None,
    edit: Edit,
    finish: Finish | None,
    progress: Listener | None = None,
) -> list[Take]:
    """The takes of an edit, finished as a preset says.

    Parameters
    ----------
    engine : Engine
    region : Region or None
    edit : Edit
        One that changes nothing (strength, amount or mix 0) gives the source, unfinished.
    finish : Finish or None
        None, or one without chain and loudness, leaves the takes as they are.
    progress : callable, optional

    Raises
    ------
    RequestError
        As `Engine.takes` and `run_chain`; `bad-value`: a hole with a band, and a chain; a chain
        that leaves nothing but silence.
    FaultError
        As they.
    """
    is_plain = finish is None or (not finish.chain and finish.loudness in ("source", "free"))
    if finish is None or is_plain or (region is not None and edit.is_identity):
        return engine.takes(region, edit, progress)
    _check(edit, finish)
    job = _Job(region, edit, finish)
    heard = _scaled(progress, 0.0, 1.0 - CHAIN_SHARE)
    takes = engine.takes(region, job.unmixed, heard)
    made = []
    for index, take in enumerate(takes):
        low = 1.0 - CHAIN_SHARE * (1 - index / len(takes))
        heard = _scaled(progress, low, low + CHAIN_SHARE / len(takes))
        made.append(replace(take, samples=job.finish(take.samples, take.rate, heard)))
    if progress is not None:
        progress(Progress(1.0, "done"))
    return made


def _scaled(progress: Listener | None, low: float, high: float) -> Listener | None:
    if progress is None:
        return None
    return lambda point: progress(replace(point, fraction=low + point.fraction * (high - low)))


def _check(edit: Edit, finish: Finish) -> None:
    banded = [hole for hole in getattr(edit, "holes", ()) if not hole.is_full_band]
    if banded and finish.chain:
        raise RequestError(
            "bad-value",
            f"preset {finish.preset} has an after-chain, which knows no bands; the hole is "
            f"{banded[0].low_hz or 0:g} to {banded[0].high_hz or np.inf:g} Hz: leave its band out",
        )


@dataclass(frozen=True, eq=False)
class _Job:
    region: Region | None
    edit: Edit
    plan: Finish

    @property
    def unmixed(self) -> Edit:
        """The edit without its mix where a chain comes first: the chain is part of what is new."""
        return replace(self.edit, mix=1.0) if self.plan.chain and self.is_mixed else self.edit

    @property
    def is_mixed(self) -> bool:
        """Whether some of the source is wanted beside what is new."""
        return self.edit.mix < 1.0 and self.edit.name not in ("generate", "continue")

    @property
    def is_whole(self) -> bool:
        """Whether all of the take is new."""
        return self.edit.name in WHOLE_EDITS

    def finish(self, samples: Samples, rate: int, progress: Listener | None) -> Samples:
        """One take's samples, finished."""
        share = self._share(len(samples), rate)
        has_chain = bool(self.plan.chain)
        made = self._chained(samples, rate, share, progress) if has_chain else np.array(samples)
        if has_chain and self.region is not None and self.is_mixed:
            _mix_in(self.region.samples, made, self.edit.mix)
        if self.is_whole:
            _amplify(made, self._gain(made[: len(samples)], share, rate), share)
        return made

    def _chained(
        self, samples: Samples, rate: int, share: Share | None, progress: Listener | None
    ) -> Samples:
        def tell(fraction: float) -> None:
            if progress is not None:
                progress(Progress(fraction, "effects"))

        n_frames, room = len(samples), self._tail_frames(rate)
        shift = n_frames // 2 if isinstance(self.edit, Loop) else 0
        # A loop's chain rings on across the seam.
        plain = np.roll(samples, shift, axis=0) if shift else samples
        plain = np.pad(plain, ((0, room), (0, 0))) if room else plain
        wet = run_chain(self.plan.chain, plain, rate, tell)
        self._check_sounding(wet, plain, rate)
        self._fade_end(wet, n_frames, rate)
        wet *= np.float32(self._match(wet[:n_frames], plain[:n_frames], share, rate))
        if share is not None:
            blend(wet, plain, np.pad(share, (0, room), mode="edge"))
        return np.roll(wet, -shift, axis=0) if shift else wet

    def _check_sounding(self, wet: Samples, plain: Samples, rate: int) -> None:
        if len(plain) > rate // 10 and rms(wet) < SILENT_SHARE * rms(plain):
            raise RequestError(
                "bad-value",
                f"the after-chain of preset {self.plan.preset} leaves nothing of this sound; "
                "choose another preset",
            )

    def _match(self, wet: Samples, plain: Samples, share: Share | None, rate: int) -> float:
        """The gain that gives what the chain made the level it had before; 1 where it is free."""
        if self.plan.loudness == "free" and self.is_whole:
            return 1.0
        if share is None or self.is_whole:
            return matching_gain(wet, plain, rate)
        inside = share > 0.0
        return matching_gain(wet[inside], plain[inside], rate)

    @property
    def _goes_on_after(self) -> bool:
        return getattr(self.edit, "direction", "after") == "after"

    def _tail_frames(self, rate: int) -> int:
        if self.plan.tail != "longer" or not self._goes_on_after:
            return 0
        return units.seconds_to_frames(self.plan.tail_seconds, rate)

    def _share(self, n_frames: int, rate: int) -> Share | None:
        """How much of the chain is heard at each frame of the take; None for all of it."""
        if not self.is_whole:
            return self._share_in_new(n_frames, rate)
        if isinstance(self.edit, Transfer) and (self.edit.curve or self.edit.mask):
            return self._share_of_strengths(n_frames, rate)
        return None

    def _share_of_strengths(self, n_frames: int, rate: int) -> Share:
        """1 where curve and mask let anything change, 0 where the strength is 0."""
        assert isinstance(self.edit, (Transfer, Inpaint))
        assert self.region is not None
        curve = self.edit.curve if isinstance(self.edit, Transfer) else ()
        mask = painted(self.edit.mask, self.region) if self.edit.mask else None
        return Touch(curve, mask).over_time(n_frames, rate)

    def _fade_end(self, wet: Samples, n_frames: int, rate: int) -> None:
        """Let what rings on end in silence, in place; not where the clip itself goes on."""
        room = self._tail_frames(rate)
        fade = round(TAIL_FADE_SHARE * room)
        is_open = self.is_whole or (isinstance(self.edit, Continue) and self._goes_on_after)
        if not room and is_open and not (self.region is not None and self.region.after.any()):
            longest_s = min(self.plan.tail_seconds, FOLD_S)
            fade = min(units.seconds_to_frames(longest_s, rate), int(FOLD_SHARE * n_frames))
        wet[len(wet) - fade :] *= fade_in(fade)[::-1]

    def _share_in_new(self, n_frames: int, rate: int) -> Share:
        """1 in what the edit made new, 0 elsewhere, with fades inside."""
        if isinstance(self.edit, Inpaint) and self.edit.mask:
            return self._share_of_strengths(n_frames, rate)
        share = np.zeros(n_frames, np.float32)
        for start, stop in self._new_spans(n_frames, rate):
            fade = min(units.seconds_to_frames(EDGE_FADE_S, rate), (stop - start) // 2)
            inside = np.ones(stop - start, np.float32)
            is_open = isinstance(self.edit, Continue)  # nothing is joined at its other end
            if fade and not (is_open and start == 0):
                inside[:fade] = fade_in(fade)[:, 0]
            if fade and not (is_open and stop == n_frames):
                inside[-fade:] = fade_in(fade)[::-1, 0]
            share[start:stop] = np.maximum(share[start:stop], inside)
        return share

    def _new_spans(self, n_frames: int, rate: int) -> Sequence[tuple[int, int]]:
        edit, region = self.edit, self.region
        assert region is not None
        if isinstance(edit, Inpaint):
            return merged((hole.start_frames, hole.stop_frames) for hole in edit.holes)
        if isinstance(edit, Continue):
            new = n_frames - region.n_frames
            after = edit.direction == "after"
            return [(region.n_frames, n_frames) if after else (0, new)]
        assert isinstance(edit, Loop)
        _, seam = loop_region(region, edit.seam)
        return [(seam.start_frames, seam.stop_frames)] if seam else []

    def _gain(self, made: Samples, share: Share | None, rate: int) -> float:
        """The gain that gives a take the loudness asked for, where the edit may act at all."""
        wanted, region = self.plan.loudness, self.region
        inside = slice(None) if share is None or share.all() else share > 0.0
        if wanted == "source" and region is not None:
            return matching_gain(made[inside], region.samples[inside], rate)
        return 1.0 if isinstance(wanted, str) else gain_to_lufs(made[inside], rate, wanted)


def _amplify(made: Samples, gain: float, share: Share | None) -> None:
    """A gain, in place; where the share is 0 nothing changes, to the bit."""
    if share is None:
        made *= np.float32(gain)
        return
    share = np.pad(share, (0, len(made) - len(share)), mode="edge")  # a tail, too
    for start, stop in blocks(0, *made.shape):
        made[start:stop] *= (1.0 + share[start:stop] * np.float32(gain - 1.0))[:, np.newaxis]


def _mix_in(source: Samples, made: Samples, mix: float) -> None:
    """Bring a take nearer to its source, in place; where they are the same they stay so."""
    inside = made[: len(source)]
    inside -= source
    made *= np.float32(mix)
    inside += source


def gain_to_lufs(samples: Samples, rate: int, lufs: float) -> float:
    """Gain that brings samples to a loudness; 1 for silence, and for what the ear doesn't hear.

    What is shorter than a gating block is heard repeated.
    """
    if not samples.any():
        return 1.0
    repeats = -(-units.seconds_to_frames(GATE_S, rate) // len(samples))
    heard = np.tile(samples, (repeats, 1)) if repeats > 1 else samples
    powers = gated_powers(heard, rate)
    if not powers.max(initial=0.0) > 0.0:
        return 1.0
    # The loudest block first: then the absolute gate lets it through.
    gain = float(np.sqrt(10 ** ((lufs + 0.691) / 10) / powers.max()))
    for _ in range(8):
        gain *= 10 ** ((lufs - integrated_lufs(powers * gain**2)) / 20)
    return gain
