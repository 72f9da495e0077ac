"""What is kept for the next edit of a region: the same bytes with it and without, and bounded."""

from __future__ import annotations

import gc
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny as tiny_checkpoint
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine import Engine
from engine.cache import Cache, fingerprint
from engine.edits import Bandwidth, Continue, Edit, Generate, Hole, Inpaint, Loop, Transfer, Vary
from engine.errors import Cancelled, FaultError
from engine.networks import MAX_KEPT, MAX_KEPT_BYTES, MAX_OWN
from engine.own_sound import OwnSound
from engine.progress import Progress
from engine.region import Region, read, write

STEPS = 2
EDITS: tuple[Edit, ...] = (
    Generate(prompt="a bell", seconds=0.4, steps=STEPS),
    Transfer(prompt="a bell", steps=STEPS),
    Transfer(steps=STEPS, takes=2),
    Vary(steps=STEPS, takes=2),
    Inpaint(holes=(Hole(20000, 9000),), steps=STEPS),
    Bandwidth(cutoff=3000.0, steps=STEPS),
    Continue(seconds=0.3, steps=STEPS),
    Continue(seconds=0.3, steps=STEPS, direction="before"),
    Loop(seam=0.2, steps=STEPS),
)
NAMES = [f"{edit.name}-{index}" for index, edit in enumerate(EDITS)]


def constant(value: int) -> Callable[[int], int]:
    return lambda _: value


class TestCache:
    def test_the_least_recently_used_goes_first(self) -> None:
        cache = Cache(100, 2)
        for key in "aba":
            cache.get(key, lambda: 0, constant(1))
        cache.get("c", lambda: 0, constant(1))
        made: list[str] = []
        for key in "acb":
            cache.get(key, lambda key=key: made.append(key), constant(1))  # type: ignore[misc]
        assert made == ["b"]

    def test_what_is_larger_than_all_of_it_is_not_kept(self) -> None:
        cache = Cache(10, 5)
        cache.get("small", lambda: 0, constant(4))
        assert cache.get("large", lambda: 1, constant(11)) == 1
        assert (len(cache), cache.n_bytes) == (1, 4)

    def test_a_failure_leaves_no_entry(self) -> None:
        cache = Cache(10, 5)

        def fail() -> int:
            raise Cancelled("in the middle")

        with pytest.raises(Cancelled):
            cache.get("a", fail, constant(1))
        assert (len(cache), cache.n_bytes) == (0, 0)
        assert cache.get("a", lambda: 7, constant(1)) == 7

    @given(
        st.integers(0, 20),
        st.integers(0, 5),
        st.lists(st.tuples(st.integers(0, 8), st.integers(0, 9)), max_size=60),
    )
    def test_it_does_as_a_plain_list_would(
        self, max_bytes: int, max_entries: int, asked: list[tuple[int, int]]
    ) -> None:
        cache, known = Cache(max_bytes, max_entries), OrderedDict[tuple[int, int], int]()
        for number, key in enumerate(asked):
            answer = cache.get(key, partial(int, number), constant(key[1]))
            assert answer == known.pop(key, number)  # the number it got when it was made
            if key[1] <= max_bytes and max_entries:
                known[key] = answer
            while sum(size for _, size in known) > max_bytes or len(known) > max_entries:
                known.popitem(last=False)
            assert (len(cache), cache.n_bytes) == (len(known), sum(size for _, size in known))


class TestFingerprint:
    def test_one_bit_one_shape_or_one_kind_makes_another(self) -> None:
        wave = np.zeros((4, 2), np.float32)
        other = wave.copy()
        other[3, 1] = np.float32(1e-45)
        contents: list[tuple[Any, ...]] = [
            (wave, 44100),
            (other, 44100),
            (-wave, 44100),
            (wave, 48000),
            (44100, wave),
            (wave.reshape(2, 4), 44100),
            (wave.astype(np.float64), 44100),
            (wave.view(np.int32), 44100),
            (wave[:3], wave[3:], 44100),
            (wave[:0], wave, 44100),
        ]
        assert len({fingerprint(*content) for content in contents}) == len(contents)

    def test_where_the_samples_lie_does_not_count(self) -> None:
        wave = np.random.default_rng(0).standard_normal((100, 2)).astype(np.float32)
        assert fingerprint(wave[::2]) == fingerprint(wave[::2].copy())
        assert fingerprint(wave[::-1][::-1]) == fingerprint(wave)


class Counts:
    """How often each costly part of an engine is run."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.n: dict[str, int] = {}
        networks = engine.networks
        parts = {
            "encoder": (networks._vae, "_encode_window"),
            "text": (networks.clap, "_embed_text"),
            "audio": (networks.clap, "_embed_mel"),
        }
        for name, (owner, method) in parts.items():
            monkeypatch.setattr(owner, method, self._counting(name, getattr(owner, method)))

    def _counting(self, name: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        self.n[name] = 0

        def counted(*given: Any) -> Any:
            self.n[name] += 1
            return inner(*given)

        return counted

    def during(self, call: Callable[[], object]) -> dict[str, int]:
        before = dict(self.n)
        call()
        return {name: self.n[name] - before[name] for name in self.n}


@pytest.fixture
def engine(tiny: Engine) -> Iterator[Engine]:
    """The session's tiny engine, knowing nothing of any region."""
    tiny.networks.forget()
    yield tiny
    tiny.networks.forget()


def uncached(engine: Engine, region: Region | None, edit: Edit) -> list[bytes]:
    """What an engine answers that keeps nothing."""
    networks = engine.networks
    kept, own_sounds, texts = networks.kept, networks.own_sounds, networks.clap.texts
    networks.kept = networks.own_sounds = networks.clap.texts = Cache(0, 0)
    try:
        return answered(engine, region, edit)
    finally:
        networks.kept, networks.own_sounds, networks.clap.texts = kept, own_sounds, texts


def answered(engine: Engine, region: Region | None, edit: Edit) -> list[bytes]:
    given = None if isinstance(edit, Generate) else region
    takes = engine.takes(given, edit)
    return [take.samples.tobytes() + repr((take.seed, take.score)).encode() for take in takes]


@pytest.mark.parametrize("edit", EDITS, ids=NAMES)
def test_an_edit_has_the_same_bytes_with_and_without(
    engine: Engine, clip: Region, edit: Edit
) -> None:
    plain = uncached(engine, clip, edit)
    assert answered(engine, clip, edit) == plain  # nothing kept yet
    assert answered(engine, clip, edit) == plain  # everything kept


def test_edits_of_one_region_do_not_disturb_each_other(engine: Engine, clip: Region) -> None:
    before = [answered(engine, clip, edit) for edit in EDITS]
    contents = {key: kept_bytes(value) for key, (value, _) in engine.networks.kept._entries.items()}
    assert len(contents) > len(EDITS) // 2
    own = [own_bytes(sound) for sound, _ in engine.networks.own_sounds._entries.values()]
    assert own
    assert [answered(engine, clip, edit) for edit in reversed(EDITS)] == before[::-1]
    after = [own_bytes(sound) for sound, _ in engine.networks.own_sounds._entries.values()]
    assert sorted(after) == sorted(own), "something wrote into a region's own sound"
    for key, (value, _) in engine.networks.kept._entries.items():
        assert kept_bytes(value) == contents[key], f"something wrote into {key[0]}"  # type: ignore[index]


def own_bytes(sound: OwnSound) -> bytes:
    spectra = [part for block in sound._spectra.values() for part in block]
    return sound.samples.tobytes() + b"".join(p.own.tobytes() + p.place.tobytes() for p in spectra)


def kept_bytes(value: Any) -> bytes:
    if isinstance(value, torch.Tensor):
        return value.numpy().tobytes()
    model, latents = value
    return bytes(model.samples.tobytes() + latents.numpy().tobytes())


def test_a_second_text_on_a_region_skips_its_encoding(
    engine: Engine, clip: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = Counts(engine, monkeypatch)
    first = counts.during(lambda: engine.takes(clip, Transfer(prompt="rain", steps=STEPS)))
    second = counts.during(lambda: engine.takes(clip, Transfer(prompt="hail", steps=STEPS)))
    again = counts.during(lambda: engine.takes(clip, Transfer(prompt="rain", steps=STEPS, seed=5)))
    assert first["encoder"] > 0
    assert (second["encoder"], again["encoder"]) == (0, 0)
    assert (first["text"], second["text"], again["text"]) == (2, 1, 0)  # and the empty text


def test_a_region_is_analysed_once_for_all_its_takes_and_texts(
    engine: Engine, clip: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysed, inner = [], OwnSound._analysed

    def counting(self: OwnSound, windows: range) -> Any:
        analysed.append(windows.start)
        return inner(self, windows)

    monkeypatch.setattr(OwnSound, "_analysed", counting)
    engine.takes(clip, Transfer(prompt="rain", steps=STEPS, takes=2))
    engine.takes(clip, Transfer(prompt="hail", steps=STEPS))
    assert analysed == sorted(set(analysed))


def test_spectra_of_long_regions_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.random.default_rng(1).standard_normal((48000, 2)).astype(np.float32)
    kept = OwnSound(samples, 48000)
    monkeypatch.setattr("engine.own_sound.MAX_SPECTRA_BYTES", kept.n_bytes - samples.nbytes - 1)
    passing = OwnSound(samples, 48000)
    for windows in kept.stft.blocks():
        for one, other in zip(kept.spectra(windows), passing.spectra(windows), strict=True):
            assert np.array_equal(one.own, other.own)
            assert np.array_equal(one.place, other.place)
    held = sum(p.own.nbytes + p.place.nbytes for b in kept._spectra.values() for p in b)
    assert held <= kept.n_bytes - samples.nbytes
    assert (passing.n_bytes, len(passing._spectra)) == (samples.nbytes, 0)


def test_a_second_variation_skips_hearing_the_source(
    engine: Engine, clip: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = Counts(engine, monkeypatch)
    first = counts.during(lambda: engine.takes(clip, Vary(steps=STEPS)))
    second = counts.during(lambda: engine.takes(clip, Vary(steps=STEPS, seed=9)))
    only_the_take = counts.during(lambda: engine.takes(None, Generate(steps=STEPS, seconds=1.5)))
    assert second["encoder"] == 0
    assert second["audio"] == only_the_take["audio"] < first["audio"]


@pytest.mark.parametrize("what", ["sample", "rate", "before", "after", "channel"])
def test_another_region_is_never_taken_for_a_known_one(
    engine: Engine, clip: Region, what: str
) -> None:
    edit = Vary(steps=STEPS)
    first = answered(engine, clip, edit)
    other = changed(clip, what)
    assert uncached(engine, other, edit) != first, "the change must be one that shows"
    assert answered(engine, other, edit) == uncached(engine, other, edit)


def changed(clip: Region, what: str) -> Region:
    """The clip with one thing about it different."""
    loud = np.full((9000, 2), 0.2, np.float32) * np.sign(np.sin(np.arange(9000) / 7))[:, None]
    if what == "rate":
        return Region(clip.samples, 48000)
    if what in ("before", "after"):
        return replace(clip, **{what: loud.astype(np.float32)})
    if what == "channel":
        return Region(clip.samples[:, :1], clip.rate)
    samples = clip.samples.copy()
    samples[30000] += 0.25
    return Region(samples, clip.rate)


def test_a_file_that_was_written_anew_is_read_anew(
    engine: Engine, clip: Region, tmp_path: Path
) -> None:
    path, edit = tmp_path / "clip.wav", Transfer(prompt="rain", steps=STEPS)
    write(path, clip.samples, clip.rate)
    first = answered(engine, read(path), edit)
    write(path, clip.samples[::-1], clip.rate, overwrite=True)
    assert answered(engine, read(path), edit) == uncached(engine, read(path), edit) != first


def test_a_cancelled_edit_leaves_nothing_half_made(engine: Engine, clip: Region) -> None:
    edit = Transfer(prompt="rain", steps=STEPS)
    plain = uncached(engine, clip, edit)
    for n_heard in range(1, 40):
        heard: list[Progress] = []

        def stop(point: Progress, heard: list[Progress] = heard, n: int = n_heard) -> None:
            heard.append(point)
            if len(heard) == n:
                raise Cancelled("now")

        try:
            engine.takes(clip, edit, stop)
        except Cancelled:
            assert answered(engine, clip, edit) == plain
            engine.networks.forget()
        else:
            assert n_heard > 5
            return
    raise AssertionError("the edit never came to its end")


def test_running_out_of_memory_fails_once_and_keeps_nothing(engine: Engine, clip: Region) -> None:
    edit = Transfer(prompt="rain", steps=STEPS)
    plain = answered(engine, clip, edit)
    assert len(engine.networks.kept)

    def run_out(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    hook = engine.networks._unet._network.register_forward_pre_hook(run_out)
    try:
        with pytest.raises(FaultError, match="shorter region") as caught:
            engine.takes(clip, edit)
    finally:
        hook.remove()
    assert caught.value.code == "out-of-memory"
    assert len(engine.networks.kept) == len(engine.networks.clap.texts) == 0
    assert answered(engine, clip, edit) == plain


def test_what_failed_is_let_go_before_the_card_is_asked_to_give_back(
    engine: Engine, clip: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs: list[weakref.ref[torch.Tensor]] = []
    alive: list[bool] = []

    def run_out(_: object, inputs: tuple[Any, ...]) -> None:
        refs.append(weakref.ref(inputs[0]))
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: alive.append(refs[0]() is not None))
    hook = engine.networks._unet._network.register_forward_pre_hook(run_out)
    try:
        with pytest.raises(FaultError):
            engine.takes(clip, Transfer(prompt="rain", steps=STEPS))
    finally:
        hook.remove()
    assert alive == [False]


def test_memory_is_bounded_however_many_regions_come(engine: Engine) -> None:
    rng = np.random.default_rng(3)
    sizes = []
    for index in range(MAX_KEPT * 3 // 8):
        noise = 0.1 * rng.standard_normal((2000 + index, 1)).astype(np.float32)
        engine.takes(Region(noise, 16000), Vary(steps=1))
        sizes.append(engine.networks.kept.n_bytes)
        assert len(engine.networks.own_sounds) <= MAX_OWN
        assert len(engine.networks.kept) <= MAX_KEPT
    assert len(engine.networks.kept) == MAX_KEPT
    assert max(sizes) < MAX_KEPT_BYTES
    assert sizes[-1] < 1.2 * sizes[len(sizes) * 3 // 4]  # it was full by then


def test_a_dropped_engine_is_gone_at_once(tmp_path: Path) -> None:
    engine = Engine.load(tiny_checkpoint.build(tmp_path / "tiny"), device="cpu")
    engine.takes(None, Generate(prompt="x", seconds=0.2, steps=1))
    unet = engine.networks._unet._network
    parts = [engine.networks, unet, *unet.modules(), *engine.networks._vae._network.modules()]
    held = [weakref.ref(part) for part in parts]
    gc.collect()
    gc.disable()
    try:
        del engine, unet, parts
        left = [type(part()).__name__ for part in held if part() is not None]
        assert not left, "something goes in circles: the next model finds no room"
    finally:
        gc.enable()
