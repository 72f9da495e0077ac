"""The seven edits on a tiny checkpoint: what comes out, what is refused, progress, seeds."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny as tiny_checkpoint
import torch

from engine import (
    Bandwidth,
    Cancelled,
    CheckpointError,
    Continue,
    Edit,
    Engine,
    FaultError,
    Generate,
    Hole,
    Inpaint,
    Loop,
    Region,
    RequestError,
    Transfer,
    Vary,
)
from engine.progress import Progress

STEPS = 3
EVERY_EDIT: list[Edit] = [
    Generate(prompt="rain", seconds=0.7, rate=44100, channels=2, steps=STEPS),
    Transfer(prompt="rain", steps=STEPS),
    Transfer(prompt="rain", render="vocoder", sampler="ddim", eta=0.5, steps=STEPS),
    Transfer(prompt="rain", curve=((0.2, 0.0), (1.0, 0.8)), steps=STEPS),
    Inpaint(holes=(Hole(20000, 9000),), steps=STEPS),
    Inpaint(holes=(Hole(100, 50), Hole(50000, 9000, 500.0, 2000.0)), resample=2, steps=STEPS),
    Bandwidth(cutoff=3000.0, steps=STEPS),
    Continue(seconds=0.4, steps=STEPS),
    Continue(seconds=0.4, direction="before", steps=STEPS),
    Vary(steps=STEPS),
    Vary(prompt="rain", amount=0.9, steps=STEPS),
    Loop(seam=0.2, steps=STEPS),
]


def name_of(edit: object) -> str:
    return edit.name if isinstance(edit, Edit) else str(edit)


def expected_frames(edit: Edit, region: Region) -> int:
    if isinstance(edit, Generate):
        return round(edit.seconds * edit.rate)
    new = round(edit.seconds * region.rate) if isinstance(edit, Continue) else 0
    return region.n_frames + new


@pytest.mark.parametrize("edit", EVERY_EDIT, ids=name_of)
def test_every_edit_makes_new_sound_of_the_right_shape(
    tiny: Engine, clip: Region, edit: Edit
) -> None:
    take = tiny.edit(None if isinstance(edit, Generate) else clip, edit)
    assert take.samples.shape == (expected_frames(edit, clip), clip.n_channels)
    assert take.samples.dtype == np.float32
    assert (take.rate, take.seed) == (clip.rate, 0)
    assert np.isfinite(take.samples).all()
    if isinstance(edit, Bandwidth) and not edit.prompt:
        assert take.score is None
    else:
        assert -1.0 <= take.score <= 1.0
    if not isinstance(edit, (Generate, Continue)):
        assert not np.array_equal(take.samples, clip.samples)


@pytest.mark.parametrize("edit", EVERY_EDIT, ids=name_of)
def test_the_same_request_gives_the_same_bytes(tiny: Engine, clip: Region, edit: Edit) -> None:
    region = None if isinstance(edit, Generate) else clip
    first, again = tiny.edit(region, edit), tiny.edit(region, edit)
    assert first.samples.tobytes() == again.samples.tobytes()
    assert first.score == again.score
    other = tiny.edit(region, dataclasses.replace(edit, seed=1))
    assert first.samples.tobytes() != other.samples.tobytes()


@pytest.mark.parametrize(
    "edit",
    [
        Transfer(strength=0.0, takes=2),
        Transfer(curve=((0.0, 0.0), (1.0, 0.0))),
        Vary(amount=0.0),
        Transfer(mix=0.0),
        Inpaint(holes=(Hole(0, 10),), mix=0.0),
        Bandwidth(mix=0.0),
        Loop(mix=0.0),
    ],
    ids=name_of,
)
def test_nothing_asked_runs_no_model(clip: Region, edit: Edit) -> None:
    """Not even a model is needed."""
    engine = Engine.__new__(Engine)
    takes = engine.takes(clip, edit)
    assert [take.seed for take in takes] == list(range(edit.takes))
    assert all(np.array_equal(take.samples, clip.samples) for take in takes)


def test_takes_come_best_first_and_can_be_asked_for_alone(tiny: Engine, clip: Region) -> None:
    edit = Transfer(prompt="rain", strength=0.9, takes=6, steps=STEPS, seed=40)
    takes = tiny.takes(clip, edit)
    scores = [take.score for take in takes]
    assert scores == sorted(scores, reverse=True)
    assert sorted(take.seed for take in takes) == [40, 41, 42, 43, 44, 45]
    for take in takes[:2]:
        alone = tiny.edit(clip, dataclasses.replace(edit, takes=1, seed=take.seed))
        # Not the same bits: a batch of four is summed in another order than a batch of one.
        assert np.abs(alone.samples - take.samples).max() < 1e-3 * np.abs(take.samples).max()
        assert alone.score == pytest.approx(take.score, abs=1e-3)


def test_restored_highs_are_ranked_by_a_text_only(tiny: Engine, clip: Region) -> None:
    edit = Bandwidth(cutoff=2000.0, takes=2, steps=STEPS, seed=3)
    takes = tiny.takes(clip, edit)
    assert [(take.seed, take.score) for take in takes] == [(3, None), (4, None)]
    asked = tiny.takes(clip, dataclasses.replace(edit, prompt="bright cymbals"))
    assert all(take.score is not None for take in asked)


@pytest.mark.parametrize("edit", EVERY_EDIT, ids=name_of)
def test_works_without_an_audio_tower(
    tiny_folder: Path, tmp_path: Path, clip: Region, edit: Edit
) -> None:
    """The empty text stands in for the region's own embedding; takes keep their seeds' order."""
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "deaf"))
    shutil.rmtree(folder / "clap")
    engine = Engine.load(folder, "cpu", "fp32")
    two = dataclasses.replace(edit, takes=2)
    takes = engine.takes(None if isinstance(edit, Generate) else clip, two)
    assert [take.score for take in takes] == [None, None]
    assert [take.seed for take in takes] == [0, 1]


@pytest.mark.parametrize("edit", EVERY_EDIT, ids=name_of)
def test_progress_is_told_and_never_goes_back(tiny: Engine, clip: Region, edit: Edit) -> None:
    heard: list[Progress] = []
    tiny.edit(None if isinstance(edit, Generate) else clip, edit, progress=heard.append)
    fractions = [progress.fraction for progress in heard]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    steps = [p for p in heard if p.stage == "denoising" and p.step]
    assert {p.steps for p in steps} == {STEPS}
    assert {p.step for p in steps} == {1, 2, 3}
    assert {"decoding", "rendering"} <= {p.stage for p in heard}


def test_long_clips_tell_every_window(tiny: Engine) -> None:
    """No stage of a long clip goes on without a word, so that it can be cancelled."""
    heard: list[Progress] = []
    region = Region(0.1 * np.ones((16000 * 15, 1), np.float32), 16000)
    tiny.edit(region, Transfer(prompt="rain", steps=1), progress=heard.append)
    for stage in ("encoding", "decoding"):
        assert sum(1 for progress in heard if progress.stage == stage) > 15
    fractions = [progress.fraction for progress in heard]
    assert fractions == sorted(fractions)


@pytest.mark.parametrize("stage", ["encoding", "denoising", "decoding", "rendering", "ranking"])
def test_cancel_passes_through_at_any_stage(tiny: Engine, clip: Region, stage: str) -> None:
    def stop(progress: Progress) -> None:
        if progress.stage == stage:
            raise Cancelled

    with pytest.raises(Cancelled):
        tiny.edit(clip, Transfer(prompt="rain", steps=STEPS), progress=stop)


def test_cancel_takes_effect_within_one_step(tiny: Engine, clip: Region) -> None:
    heard = []

    def stop(progress: Progress) -> None:
        heard.append(progress)
        if progress.step == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        tiny.edit(clip, Transfer(prompt="rain", steps=50), progress=stop)
    assert heard[-1].step == 2


@pytest.mark.parametrize("n_frames", [1, 2, 3, 159, 161, 700])
@pytest.mark.parametrize("rate", [8000, 44100, 192000])
def test_clips_of_any_length(tiny: Engine, n_frames: int, rate: int) -> None:
    region = Region(0.1 * np.ones((n_frames, 1), np.float32), rate)
    holes = (Hole(n_frames // 2, 1),)
    for edit in (
        Transfer(prompt="rain", steps=2),
        Inpaint(holes=holes, steps=2),
        Continue(seconds=0.001, steps=2),
        Vary(steps=2),
        Loop(steps=2),
    ):
        take = tiny.edit(region, edit)
        assert take.n_frames == expected_frames(edit, region)
        assert np.isfinite(take.samples).all()


def test_the_model_never_sees_more_than_a_window(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest input of any network is a quarter larger for a long clip than for one window."""
    monkeypatch.setattr("engine.denoise.BATCH_NUMBERS", 0)
    engine = Engine.load(tiny_folder, "cpu", "fp32")
    sizes: dict[str, list[int]] = {}
    networks = engine.networks
    for name, network in (
        ("unet", networks._unet._network),
        ("vae", networks._vae._network.encoder),
        ("decoder", networks._vae._network.decoder),
        ("vocoder", networks._vocoder),
    ):
        seen = sizes.setdefault(name, [])
        network.register_forward_pre_hook(
            lambda _, inputs, seen=seen: seen.append(inputs[0].numel())
        )

    def largest(length_s: float) -> dict[str, int]:
        for seen in sizes.values():
            seen.clear()
        samples = 0.1 * np.random.default_rng(0).standard_normal(round(length_s * 16000))
        engine.edit(Region(samples.astype(np.float32), 16000), Transfer(steps=1))
        return {name: max(seen) for name, seen in sizes.items()}

    window = largest(1.28)
    for name, size in largest(12.0).items():
        assert size <= 1.25 * window[name], (name, size, window)


def test_a_hole_in_a_long_clip_costs_one_window(tiny: Engine) -> None:
    region = Region(np.ones((16000 * 60, 1), np.float32) * 0.1, 16000)
    steps = []
    tiny.edit(region, Inpaint(holes=(Hole(16000 * 30, 1600),), steps=STEPS), progress=steps.append)
    assert sum(1 for p in steps if p.step) == STEPS


def test_context_is_heard(tiny: Engine, clip: Region) -> None:
    """What sounds around a region changes what is made in it."""
    alone = Region(clip.samples[20000:30000], clip.rate)
    within = Region(alone.samples, clip.rate, clip.samples[:20000], clip.samples[30000:])
    for edit in (Transfer(prompt="rain", steps=2), Inpaint(holes=(Hole(2000, 5000),), steps=2)):
        assert not np.array_equal(tiny.edit(alone, edit).samples, tiny.edit(within, edit).samples)


def test_guidance_and_negative_prompt_matter(tiny: Engine) -> None:
    made = [
        tiny.edit(None, Generate(prompt="rain", seconds=0.3, steps=STEPS, **more)).samples
        for more in ({}, {"guidance": 9.0}, {"negative": "speech"}, {"guidance": 1.0})
    ]
    for index, first in enumerate(made):
        for other in made[index + 1 :]:
            assert not np.array_equal(first, other)
    one = Generate(prompt="rain", seconds=0.3, steps=STEPS, guidance=1.0)
    without = tiny.edit(None, one).samples
    with_negative = tiny.edit(None, dataclasses.replace(one, negative="speech")).samples
    assert np.array_equal(without, with_negative)


def test_a_curve_that_rises_after_the_region_changes_nothing(tiny: Engine, clip: Region) -> None:
    edit = Transfer(prompt="rain", curve=((0.0, 0.0), (50.0, 0.0), (60.0, 1.0)))
    assert np.array_equal(tiny.edit(clip, edit).samples, clip.samples)


@pytest.mark.parametrize("prompt", ["", "🎉🔥 ☂️", "a" * 2000, "多言語 العربية", "\t\n "])
def test_prompts_of_all_sorts(tiny: Engine, clip: Region, prompt: str) -> None:
    take = tiny.edit(clip, Transfer(prompt=prompt, steps=1))
    assert take.n_frames == clip.n_frames


def test_a_prompt_too_long_is_refused() -> None:
    with pytest.raises(RequestError, match="5000 characters") as caught:
        Transfer(prompt="x" * 5000)
    assert caught.value.code == "too-long"


@pytest.mark.parametrize("edit", [Transfer(prompt="rain"), Vary(), Bandwidth(cutoff=3000.0)])
def test_silence_has_nothing_to_change(tiny: Engine, edit: Edit) -> None:
    silence = Region(np.zeros((8000, 2), np.float32), 16000)
    with pytest.raises(RequestError, match="digital silence") as caught:
        tiny.edit(silence, edit)
    assert caught.value.code == "bad-value"


def test_silence_can_be_filled_and_gone_on_from(tiny: Engine) -> None:
    silence = Region(np.zeros((8000, 1), np.float32), 16000)
    for edit in (
        Inpaint(prompt="rain", holes=(Hole(2000, 2000),), steps=2),
        Inpaint(holes=(Hole(2000, 2000),), steps=2),
        Continue(seconds=0.2, steps=2),
        Loop(steps=2),
    ):
        assert np.isfinite(tiny.edit(silence, edit).samples).all()


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (Inpaint(holes=(Hole(66000, 151),)), "66000 to 66151; the region has 66150"),
        (Inpaint(holes=(Hole(0, 10, 9000.0, None),)), "9000 Hz"),
        (Inpaint(holes=(Hole(0, 10, 30000.0, None),)), "30000 Hz"),
        (Bandwidth(cutoff=30000.0), "30000 Hz"),
        (Bandwidth(cutoff=8000.0), "8000 Hz"),
        (Bandwidth(cutoff=1.0), "1 Hz"),
    ],
    ids=name_of,
)
def test_what_does_not_fit_the_region_is_refused(
    tiny: Engine, clip: Region, edit: Edit, sentence: str
) -> None:
    with pytest.raises(RequestError, match=sentence) as caught:
        tiny.edit(clip, edit)
    assert caught.value.code == "bad-value"


def test_strength_out_of_range_is_refused() -> None:
    with pytest.raises(RequestError, match=r"strength is 1\.5.*from 0 to 1"):
        Transfer(strength=1.5)


def test_full_band_sound_has_no_highs_missing(tiny: Engine) -> None:
    noise = np.random.default_rng(0).standard_normal((32000, 1)).astype(np.float32)
    with pytest.raises(RequestError, match="nothing is missing"):
        tiny.edit(Region(0.1 * noise, 32000), Bandwidth())


def test_the_cutoff_is_found(tiny: Engine) -> None:
    noise = np.random.default_rng(0).standard_normal(64000)
    spectrum = np.fft.rfft(noise)
    spectrum[len(spectrum) // 4 :] = 0.0  # 4 kHz of 16 kHz
    dark = Region(0.1 * np.fft.irfft(spectrum).astype(np.float32), 32000)
    take = tiny.edit(dark, Bandwidth(steps=2))
    added = np.abs(np.fft.rfft((take.samples - dark.samples)[:, 0]))
    assert added[10000:].sum() > 0.0
    assert added[:7500].max() < 1e-4 * added.max()


def test_an_edit_needs_its_region(tiny: Engine) -> None:
    with pytest.raises(RequestError, match="transfer needs a region") as caught:
        tiny.edit(None, Transfer(prompt="rain"))
    assert caught.value.code == "bad-request"


def test_an_edit_of_no_kind(tiny: Engine, clip: Region) -> None:
    with pytest.raises(RequestError, match="Generate, Transfer") as caught:
        tiny.edit(clip, Edit())
    assert caught.value.code == "unknown-edit"


def test_unknown_checkpoint() -> None:
    with pytest.raises(CheckpointError, match="no checkpoint is called 'grand'") as caught:
        Engine.load("grand")
    assert caught.value.code == "unknown-model"


def test_a_model_that_answers_nan_is_our_fault(tiny_folder: Path, clip: Region) -> None:
    engine = Engine.load(tiny_folder, "cpu", "fp32")
    with torch.inference_mode():
        engine.networks._unet._network.conv_out.bias.fill_(float("nan"))
    with pytest.raises(FaultError, match=r"NaN.*fp32") as caught:
        engine.edit(clip, Transfer(prompt="rain", steps=1))
    assert caught.value.code == "internal"


@pytest.mark.parametrize(
    "error",
    [MemoryError(), torch.OutOfMemoryError("CUDA"), RuntimeError("x: can't allocate memory: 9 GB")],
)
def test_out_of_memory_has_its_code(
    tiny_folder: Path, clip: Region, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    engine = Engine.load(tiny_folder, "cpu", "fp32")

    def full(*args: object) -> None:
        raise error

    monkeypatch.setattr(engine.networks, "encode", full)
    with pytest.raises(FaultError) as caught:
        engine.edit(clip, Transfer(prompt="rain"))
    assert caught.value.code == "out-of-memory"


def test_names(tiny: Engine) -> None:
    assert (tiny.name, tiny.device, tiny.rate) == ("tiny", "cpu", 16000)


def test_another_layout_of_the_same_kind(tmp_path: Path, clip: Region) -> None:
    """Stride 8, 16 channels, v-prediction, 32 kHz: nothing is wired to AudioLDM's own numbers."""
    vae = {
        "block_out_channels": (8, 8, 8, 16),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "latent_channels": 16,
    }
    tiny_checkpoint.build(
        tmp_path,
        window_frames=64,
        vae=vae,
        unet={"in_channels": 16, "out_channels": 16},
        vocoder={"upsample_rates": [5, 4, 2, 2, 4], "sampling_rate": 32000},
        scheduler={"prediction_type": "v_prediction"},
    )
    engine = Engine.load(tmp_path, "cpu")
    for edit in EVERY_EDIT:
        region = None if isinstance(edit, Generate) else clip
        assert engine.edit(region, edit).n_frames == expected_frames(edit, clip)
