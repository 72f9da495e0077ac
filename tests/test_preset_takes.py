"""Takes of presets: what a finish does, and that the promises to the host hold with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyloudnorm
import pytest
from preset_clips import region, take
from signals import db, noise

from benchmarks.gallery_check import broken
from benchmarks.gallery_clips import CLIPS
from engine import (
    Continue,
    Edit,
    Generate,
    Hole,
    Inpaint,
    Loop,
    Region,
    RequestError,
    Take,
    Transfer,
    Vary,
)
from engine.errors import Cancelled
from engine.fades import fade_in
from engine.loudness import rms
from engine.progress import Listener, Progress
from presets import Finish, Link, Preset, Shelf
from presets.chain import run_chain
from presets.finishing import finished_takes, gain_to_lufs

if TYPE_CHECKING:
    from engine.engine import Engine

SHELF = Shelf(Path("/nowhere"))
PRESETS = list(SHELF.presets())
RATE = 16000


class Plain:
    """An editor whose answers are known: whole edits give noise, others noise where they may."""

    def __init__(self) -> None:
        self.edits: list[Edit] = []

    def takes(
        self, region: Region | None, edit: Edit, progress: Listener | None = None
    ) -> list[Take]:
        self.edits.append(edit)
        for fraction in (0.0, 0.5, 1.0):
            if progress:
                progress(Progress(fraction, "denoising"))
        return [self._take(region, edit, k) for k in range(edit.takes)]

    def _take(self, region: Region | None, edit: Edit, seed: int) -> Take:
        if region is None or isinstance(edit, Generate):
            assert isinstance(edit, Generate)
            made = noise(round(edit.seconds * edit.rate), edit.channels, 0.1, seed)
            return Take(made, edit.rate, seed)
        made = np.array(region.samples)
        fresh = noise(len(made) + RATE, region.n_channels, rms(region.samples), seed)
        if isinstance(edit, Inpaint):
            for hole in edit.holes:
                inside = slice(hole.start_frames, hole.stop_frames)
                made[inside] = fresh[inside]
        elif isinstance(edit, Continue):
            new = fresh[: round(edit.seconds * region.rate)]
            made = np.concatenate((made, new) if edit.direction == "after" else (new, made))
        elif isinstance(edit, Loop):
            half = round(edit.seam * region.rate / 2)
            made[:half], made[-half:] = fresh[:half], fresh[half : 2 * half]
        else:
            made = made + np.float32(edit.mix) * (fresh[: len(made)] - made)
        return Take(made, region.rate, seed)


def finish(*links: tuple[str, dict[str, Any]], **rest: Any) -> Finish:
    return Finish("test", tuple(Link(*link) for link in links), **rest)


REVERB = ("Reverb", {"room_size": 0.9, "wet_level": 0.6, "dry_level": 0.3})
DIRT = ("Distortion", {"drive_db": 20})
QUIET = ("Gain", {"gain_db": -12})


def source(n_frames: int = RATE, n_channels: int = 2, level: float = 0.2) -> Region:
    samples = noise(n_frames, n_channels, level, seed=9)
    samples *= 0.3 + 0.7 * np.sin(np.arange(n_frames) / 3000)[:, np.newaxis] ** 2
    return Region(samples.astype(np.float32), RATE)


def finished(of: Region | None, edit: Edit, done: Finish) -> np.ndarray:
    return finished_takes(Plain(), of, edit, done)[0].samples


def lufs(samples: np.ndarray, rate: int = RATE) -> float:
    return float(pyloudnorm.Meter(rate).integrated_loudness(np.float64(samples)))


WHOLE: list[Callable[..., Edit]] = [Transfer, Vary]


class TestNothing:
    """Zero is nothing, and so is no finish."""

    @pytest.mark.parametrize(
        "edit",
        [
            Transfer(strength=0.0),
            Transfer(mix=0.0),
            Transfer(curve=((0, 0), (1, 0))),
            Vary(amount=0.0),
            Inpaint(holes=(Hole(3, 50),), mix=0.0),
            Loop(mix=0.0),
        ],
        ids=lambda edit: edit.name,
    )
    def test_an_edit_that_changes_nothing(self, edit: Edit, tiny: Engine) -> None:
        done = finish(REVERB, DIRT, tail="longer", tail_seconds=1.0)
        made = finished_takes(tiny, source(), edit, done)[0]
        assert made.samples.tobytes() == source().samples.tobytes()

    def test_a_finish_of_nothing(self) -> None:
        edit = Transfer(mix=0.7)
        plain = Plain().takes(source(), edit)[0].samples
        for done in (None, finish(), finish(loudness="free")):
            assert np.array_equal(finished_takes(Plain(), source(), edit, done)[0].samples, plain)

    @pytest.mark.parametrize("loudness", ["source", "free", -30.0])
    @pytest.mark.parametrize("chain", [(("Gain", {"gain_db": 0.0}), REVERB), ()])
    @pytest.mark.parametrize(
        "edit",
        [
            Transfer(curve=((0.0, 0.0), (0.5, 0.0), (0.7, 1.0))),
            Transfer(mask=((0.5, 0.0, 0.0), (0.7, 0.0, 1.0))),
            Transfer(curve=((0.0, 0.0), (0.5, 0.0), (0.7, 1.0)), mix=0.6),
        ],
        ids=["curve", "mask", "mix"],
    )
    def test_where_a_strength_is_zero(
        self, edit: Transfer, chain: tuple[Any, ...], loudness: float | str
    ) -> None:
        """The source's own bits there, chain and loudness elsewhere, and no jump between."""

        class Follows(Plain):
            def _take(self, region: Region | None, edit: Edit, seed: int) -> Take:
                assert region is not None
                made = np.array(region.samples)
                made[RATE // 2 :] *= np.linspace(1.0, -3.0, RATE // 2)[:, np.newaxis]
                return Take(made.astype(np.float32), region.rate)

        of = source()
        made = finished_takes(Follows(), of, edit, finish(*chain, loudness=loudness))[0].samples
        assert np.array_equal(made[: RATE // 2], of.samples[: RATE // 2])
        assert not np.array_equal(made[RATE // 2 :], of.samples[RATE // 2 :])
        first = slice(RATE // 2, RATE // 2 + 20)  # 1.25 ms: the strength is 0.006 at its end
        assert np.abs(made[first] - of.samples[first]).max() < 0.05 * np.abs(of.samples).max()
        if isinstance(loudness, float):
            inside = made[RATE * 55 // 100 :]
            assert gain_to_lufs(inside, RATE, loudness) == pytest.approx(1.0, abs=0.12)

    def test_a_tail_is_silent_where_the_curve_ends_in_zero(self) -> None:
        done = finish(REVERB, tail="longer", tail_seconds=0.5)
        edit = Transfer(curve=((0.0, 1.0), (0.5, 1.0), (0.7, 0.0)))
        made = finished_takes(Plain(), source(), edit, done)[0].samples
        assert len(made) == RATE * 3 // 2
        assert not made[RATE:].any()


class TestPlaces:
    """Outside what the edit made new every sample stays, and the chain comes and goes softly."""

    def test_inpaint(self) -> None:
        of, holes = source(), (Hole(3000, 2000), Hole(8000, 1), Hole(9000, 500))
        edit = Inpaint(holes=holes)
        made = finished(of, edit, finish(REVERB, DIRT))
        plain = Plain().takes(of, edit)[0].samples
        outside = np.ones(RATE, bool)
        for hole in holes:
            outside[hole.start_frames : hole.stop_frames] = False
        assert np.array_equal(made[outside], of.samples[outside])
        middle = slice(3500, 4500)
        assert not np.allclose(made[middle], plain[middle])
        assert np.abs(made[3000] - plain[3000]).max() < 1e-4 * np.abs(plain).max()
        # A filled hole keeps the level of its surroundings.
        assert db(rms(made[middle]) / rms(plain[middle])) == pytest.approx(0, abs=2)

    def test_holes_that_touch_are_one(self) -> None:
        """The chain must not leave and come again in the middle of what is filled."""
        of, how = source(), finish(REVERB, DIRT)
        one = finished(of, Inpaint(holes=(Hole(4000, 8000),)), how)
        for first, second in (((4000, 4000), (8000, 4000)), ((4000, 5000), (7000, 5000))):
            parts = Inpaint(holes=(Hole(*second), Hole(*first)))
            assert np.allclose(finished(of, parts, how), one, atol=1e-6)

    @pytest.mark.parametrize("direction", ["after", "before"])
    def test_continue(self, direction: str) -> None:
        of = source()
        edit = Continue(seconds=0.5, direction=direction)
        made = finished(of, edit, finish(REVERB, DIRT, tail_seconds=1.0))
        new = RATE // 2
        old = made[:RATE] if direction == "after" else made[new:]
        assert len(made) == RATE + new
        assert np.array_equal(old, of.samples)
        assert not np.allclose(made, Plain().takes(of, edit)[0].samples)

    def test_a_continued_clip_may_ring_on(self) -> None:
        done = finish(REVERB, tail="longer", tail_seconds=0.75)
        made = finished(source(), Continue(seconds=0.5), done)
        assert len(made) == RATE * 9 // 4
        assert np.array_equal(made[:RATE], source().samples)
        assert made[RATE * 3 // 2 :].any()
        # It rings on where the new part ends: no hole between them.
        end = RATE * 3 // 2
        assert rms(made[end : end + 400]) > 0.1 * rms(made[end - 400 : end])
        assert rms(made[end - 40 : end + 40]) > 0.1 * rms(made[end - 400 : end])
        before = finished(source(), Continue(seconds=0.5, direction="before"), done)
        assert len(before) == RATE * 3 // 2

    def test_loop(self) -> None:
        of = source()
        edit = Loop(seam=0.25)
        made = finished(of, edit, finish(REVERB, DIRT))
        half = RATE // 8
        assert np.array_equal(made[half:-half], of.samples[half:-half])
        plain = Plain().takes(of, edit)[0].samples
        assert not np.allclose(made[: half // 2], plain[: half // 2])
        # The chain rings on across the wrap: no fade lies there.
        assert rms(made[:200]) > 0.3 * rms(plain[:200])

    def test_a_hole_with_a_band_is_refused(self) -> None:
        edit = Inpaint(holes=(Hole(10, 100, 500.0, 900.0),))
        with pytest.raises(RequestError, match="500 to 900 Hz: leave its band out"):
            finished(source(), edit, finish(REVERB))


class TestTails:
    @pytest.mark.parametrize("edit", [Transfer(), Vary(), Generate(seconds=1.0, rate=RATE)])
    def test_a_longer_take_rings_and_ends_in_silence(self, edit: Edit) -> None:
        of = None if isinstance(edit, Generate) else source()
        done = finish(REVERB, tail="longer", tail_seconds=1.5, loudness="free")
        made = finished(of, edit, done)
        assert len(made) == RATE * 5 // 2
        levels = [rms(made[RATE + k : RATE + k + 2000]) for k in range(0, 24000, 2000)]
        assert levels[0] > 0.02 * rms(made[:RATE])
        jump = np.abs(np.diff(made, axis=0))
        assert jump[RATE - 20 : RATE + 20].max() <= jump.max()
        assert levels[0] > levels[4] > levels[8] > levels[11]
        assert np.abs(made[-2:]).max() < 1e-5

    @pytest.mark.parametrize("edit", [Transfer(), Generate(seconds=1.0, rate=RATE)])
    def test_what_rings_fades_inside_the_region(self, edit: Edit) -> None:
        of = None if isinstance(edit, Generate) else source()
        done = finish(REVERB, DIRT, loudness="free", tail="fade", tail_seconds=1.0)
        plain, made = (finished(of, edit, d) for d in (replace(done, tail_seconds=0.0), done))
        assert made.shape == plain.shape
        heard = RATE * 3 // 4
        assert np.array_equal(made[:heard], plain[:heard])
        assert np.abs(made[-2:]).max() < 1e-5 < 1e-3 < np.abs(plain[-50:]).max()

    def test_where_the_clip_goes_on_nothing_fades(self) -> None:
        of = replace(source(), after=source().samples)
        done = finish(REVERB, DIRT, tail="fade", tail_seconds=1.0)
        plain, made = (finished(of, Transfer(), d) for d in (replace(done, tail_seconds=0.0), done))
        assert np.array_equal(made, plain)

    def test_a_tail_of_a_clip_of_one_frame(self) -> None:
        one = Region(np.full((1, 1), 0.5, np.float32), RATE)
        for tail, n_frames in (("longer", 1 + RATE), ("fade", 1)):
            done = finish(REVERB, tail=tail, tail_seconds=1.0)
            assert len(finished(one, Transfer(), done)) == n_frames


class TestLoudness:
    @pytest.mark.parametrize("kind", WHOLE)
    @pytest.mark.parametrize("mix", [1.0, 0.3])
    def test_as_loud_as_the_source(self, kind: Callable[..., Edit], mix: float) -> None:
        of = source(2 * RATE)
        made = finished(of, kind(mix=mix), finish(DIRT, QUIET))
        assert lufs(made) == pytest.approx(lufs(of.samples), abs=0.1)

    def test_free(self) -> None:
        of = source()
        plain = Plain().takes(of, Transfer())[0].samples
        made = finished(of, Transfer(), finish(QUIET, loudness="free"))
        assert db(rms(made) / rms(plain)) == pytest.approx(-12, abs=0.01)

    @pytest.mark.parametrize("wanted", [-45.0, -16.0])
    @pytest.mark.parametrize("seconds", [0.02, 0.5, 2.0])
    def test_a_loudness_in_lufs(self, wanted: float, seconds: float) -> None:
        edit = Generate(seconds=seconds, rate=RATE)
        made = finished(None, edit, finish(DIRT, loudness=wanted))
        heard = np.tile(made, (-(-RATE * 2 // 5 // len(made)), 1))
        assert lufs(heard) == pytest.approx(wanted, abs=0.2)
        assert finished(None, edit, finish(loudness=wanted)) is not None

    def test_silence_has_none(self) -> None:
        assert gain_to_lufs(np.zeros((100, 1), np.float32), RATE, -20.0) == 1.0

    @pytest.mark.parametrize("gain", [1e-2, 30.0])
    @pytest.mark.parametrize("loudness", ["source", "free"])
    def test_a_scaled_source_scales_the_take(self, gain: float, loudness: str) -> None:
        done = finish(DIRT, ("Compressor", {"threshold_db": -30, "ratio": 8}), loudness=loudness)
        of = source()
        louder = Region(of.samples * np.float32(gain), RATE)
        plain, scaled = (finished(r, Transfer(), done) for r in (of, louder))
        assert db(rms(scaled) / rms(plain)) == pytest.approx(db(gain), abs=0.05)


class TestMix:
    def test_the_chain_is_part_of_what_is_mixed_in(self) -> None:
        of, done = source(), finish(DIRT, loudness="free")
        editor = Plain()
        made = finished_takes(editor, of, Transfer(mix=0.25), done)[0].samples
        assert editor.edits[0].mix == 1.0
        wet = finished(of, Transfer(), done)
        assert np.allclose(made, of.samples + 0.25 * (wet - of.samples), atol=1e-6)

    def test_it_mixes_the_tail_too(self) -> None:
        done = finish(REVERB, tail="longer", tail_seconds=0.5, loudness="free")
        whole, half = (finished(source(), Transfer(mix=mix), done) for mix in (1.0, 0.5))
        assert np.allclose(half[RATE:], 0.5 * whole[RATE:], atol=1e-6)

    def test_holes_are_mixed_with_what_was_there(self) -> None:
        of, edit = source(), Inpaint(holes=(Hole(2000, 9000),), mix=0.5)
        made = finished(of, edit, finish(DIRT))
        wet = finished(of, replace(edit, mix=1.0), finish(DIRT))
        assert np.allclose(made, (of.samples + wet) / 2, atol=1e-6)
        assert np.array_equal(made[:2000], of.samples[:2000])


class TestMemory:
    def test_a_long_clip_costs_a_few_times_its_own_size(self) -> None:
        """Ten minutes of stereo take what a minute takes, times ten, and no more."""
        import tracemalloc

        of = Region(np.zeros((90 * RATE, 2), np.float32) + np.float32(0.1), RATE)
        edit, done = Transfer(curve=((0, 0), (60, 1))), finish(QUIET, ("Invert", {}))
        takes = Plain().takes(of, edit)
        tracemalloc.start()
        finished_takes(_Given(takes), of, edit, done)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak_bytes < 5 * of.samples.nbytes


class _Given(Plain):
    def __init__(self, takes: list[Take]) -> None:
        super().__init__()
        self._takes = takes

    def takes(self, *_: Any) -> list[Take]:
        return self._takes


class TestAnswers:
    def test_every_take_is_finished_and_keeps_its_seed(self) -> None:
        takes = finished_takes(Plain(), source(), Transfer(takes=3), finish(DIRT))
        assert [t.seed for t in takes] == [0, 1, 2]
        assert len({t.samples.tobytes() for t in takes}) == 3

    def test_progress_goes_up_to_one(self) -> None:
        told: list[Progress] = []
        finished_takes(Plain(), source(), Transfer(takes=2), finish(DIRT, REVERB), told.append)
        fractions = [point.fraction for point in told]
        assert fractions == sorted(fractions)
        assert (fractions[-1], told[-1].stage) == (1.0, "done")
        assert {"denoising", "effects"} <= {point.stage for point in told}

    def test_a_cancel_is_heard_between_effects(self) -> None:
        def stop(point: Progress) -> None:
            if point.stage == "effects":
                raise Cancelled

        with pytest.raises(Cancelled):
            finished_takes(Plain(), source(), Transfer(), finish(DIRT), stop)

    def test_silence_is_not_passed_off_as_sound(self) -> None:
        quiet = finish(*[("Gain", {"gain_db": -60})] * 3)
        with pytest.raises(RequestError, match="preset test leaves nothing of this sound"):
            finished(source(), Transfer(), quiet)


# Every preset, on recorded clips


def numbered() -> list[Any]:
    """Every preset with one of the clips; the next run of six gets the next clip of each."""
    names = list(CLIPS)
    return [
        pytest.param(preset, names[index % len(names)], index, id=f"{preset.name}")
        for index, preset in enumerate(PRESETS)
    ]


@pytest.mark.parametrize(("preset", "name", "index"), numbered())
def test_a_preset_keeps_the_promises(preset: Preset, name: str, index: int, tiny: Engine) -> None:
    """A few steps of a tiny model: what is promised holds whether or not the take is good.

    `python -m benchmarks.gallery --check` tries every preset on every clip, with pocket.
    """
    of = region(name, 0.4)
    made, edit = take(tiny, preset, of)
    assert list(broken(made, edit, preset.finish, of)) == []
    if not isinstance(edit, Generate):
        _further_promise(tiny, preset, of, made, index)


def _further_promise(engine: Engine, preset: Preset, of: Region, made: Take, index: int) -> None:
    """One of the dearer ones, in turn."""
    if index % 3 == 0:  # same again
        assert take(engine, preset, of)[0].samples.tobytes() == made.samples.tobytes()
    elif index % 3 == 1:  # scaling the input scales the take
        parts = [part * np.float32(0.1) for part in (of.samples, of.before, of.after)]
        quieter = take(engine, preset, Region(parts[0], of.rate, *parts[1:]))[0]
        assert db(rms(quieter.samples) / rms(made.samples)) == pytest.approx(-20, abs=0.5)
    else:  # swapped channels swap the take
        parts = [
            np.concatenate([part[:, :1], 0.5 * part[:, :1]], axis=1)
            for part in (of.samples, of.before, of.after)
        ]
        one = take(engine, preset, Region(parts[0], of.rate, *parts[1:]))[0]
        turned = [part[:, ::-1] for part in parts]
        other = take(engine, preset, Region(turned[0], of.rate, *turned[1:]))[0]
        assert np.array_equal(other.samples, one.samples[:, ::-1])


@pytest.mark.parametrize(
    "preset", [p for p in PRESETS if p.edit == "transfer"][::4], ids=lambda p: p.name
)
def test_a_preset_at_strength_zero_changes_no_bit(preset: Preset, tiny: Engine) -> None:
    of = region("stereo 48 kHz", 0.3)
    made, _ = take(tiny, preset, of, strength=0.0)
    assert made.samples.tobytes() == of.samples.tobytes()


@pytest.mark.parametrize("name", ["telephone", "cathedral-tail", "robot-voice", "trailer-hit"])
def test_with_the_real_model(name: str, pocket: Engine) -> None:
    of = region("speech", 0.6)
    preset = SHELF.get(name)
    made, edit = take(pocket, preset, of)
    assert list(broken(made, edit, preset.finish, of)) == []


def test_a_presets_chain_leaves_onsets_in_place() -> None:
    """The first arrival of a burst, through the chain of every preset."""
    rate = 48000
    burst = np.zeros((rate, 1), np.float32)
    burst[rate // 4 : rate // 4 + 4800] = noise(4800) * fade_in(4800)[::-1]
    smeared = {"PitchShift", "MP3Compressor", "GSMFullRateCompressor"}
    checked = 0
    for preset in PRESETS:
        chain = preset.finish.chain
        if not chain or any(link.effect in smeared for link in chain):
            continue
        made = np.abs(run_chain(chain, burst, rate, lambda fraction: None))[:, 0]
        first = np.argmax(made > 0.05 * made.max())
        within = 3e-3 if any(link.settings.get("mix") == 1 for link in chain) else 1.1e-3
        assert abs(first - rate // 4) / rate <= within, preset.name
        checked += 1
    assert checked > 40
