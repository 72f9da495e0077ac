"""Fine-tuning on a folder of sounds: names, what is written, and that a new sound is learned."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file

from engine import Engine, Generate
from engine.adapter import base_mark, product
from engine.checkpoint import load_checkpoint
from engine.errors import CheckpointError, RequestError

pytest.importorskip("peft", reason="comes with the train extra")

from engine.training import finetune

RATE = 16000


def zorp(number: int) -> np.ndarray:
    """Two and a half seconds of something no corpus has: a comb of partials, 700 Hz apart, that
    glides down and is gated eleven times a second."""
    rng = np.random.default_rng(number)
    t = np.arange(int(2.5 * RATE)) / RATE
    glide = np.cumsum(1 - 0.25 * t / t[-1]) / RATE
    gate = (np.sin(2 * np.pi * 11 * t + rng.uniform(0, 6)) > 0).astype(float)
    root = 700 * rng.uniform(0.95, 1.05)
    wave = sum(np.sin(2 * np.pi * root * k * glide + rng.uniform(0, 6)) for k in range(1, 10))
    return (0.1 * gate * wave).astype(np.float32)


@pytest.fixture(scope="module")
def zorps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zorps")
    for number in range(10):
        soundfile.write(folder / f"zorp {number:02d}.wav", zorp(number), RATE)
    return folder


def test_sounds_are_called_by_manifest_then_text_file_then_name(tmp_path: Path) -> None:
    for name in ("door_slam-03.wav", "b.wav", "42.wav"):
        soundfile.write(tmp_path / name, zorp(0), RATE)
    (tmp_path / "b.txt").write_text("a big\nbell \n")
    (tmp_path / "notes.txt").write_text("not a caption")
    assert [caption for _, caption in finetune.captioned(tmp_path)] == [
        "42",
        "a big bell",
        "door slam",
    ]
    (tmp_path / "b.txt").write_bytes("\ufeffa bell".encode())
    (tmp_path / "._b.wav").write_bytes(b"what macOS keeps beside b.wav")
    assert [caption for _, caption in finetune.captioned(tmp_path)] == ["42", "a bell", "door slam"]
    (tmp_path / "b.txt").write_bytes("une clochée".encode("cp1252"))
    with pytest.raises(RequestError, match=r"b\.txt is not UTF-8"):
        finetune.captioned(tmp_path)
    (tmp_path / "manifest.csv").write_text("file,caption\nb.wav,a bell\n")
    assert finetune.captioned(tmp_path) == [(tmp_path / "b.wav", "a bell")]
    (tmp_path / "manifest.csv").write_text("file,caption\nc.wav,a bell\n")
    with pytest.raises(FileNotFoundError, match=r"c\.wav"):
        finetune.captioned(tmp_path)


@pytest.mark.parametrize("make", [lambda p: p / "gone", lambda p: p])
def test_a_folder_without_sounds_is_refused(tmp_path: Path, make) -> None:
    with pytest.raises(FileNotFoundError):
        finetune.captioned(make(tmp_path))


@pytest.mark.slow
@pytest.mark.usefixtures("a_second_a_step")
def test_ten_clips_of_a_sound_the_base_cant_make_are_learned(zorps: Path, tmp_path: Path) -> None:
    """Similarity to the clips' centroid rises well above the base's, and stays below 1."""
    library = tmp_path / "zorps"
    finetune.finetune(zorps, "pocket", library, minutes=0.5)
    base, learned = Engine.load("pocket"), Engine.load(library)
    assert learned.name == "zorps"
    clap = base.networks.clap
    centroid = torch.stack([clap.audio(zorp(n), RATE) for n in range(10)]).mean(0)
    centroid = torch.nn.functional.normalize(centroid, dim=0)

    def likeness(engine: Engine) -> float:
        takes = (
            engine.edit(None, Generate(prompt="zorp", seconds=2.5, rate=RATE, seed=seed))
            for seed in range(4)
        )
        return float(np.mean([float(clap.audio(t.samples[:, 0], RATE) @ centroid) for t in takes]))

    before, after = likeness(base), likeness(learned)
    print(f"similarity to the ten clips: base {before:.2f}, learned {after:.2f}")
    assert after > before + 0.25


@pytest.mark.usefixtures("a_second_a_step")
def test_more_minutes_go_on_where_it_stopped_and_layers_must_fit(
    tiny_folder: Path,
    zorps: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(finetune, "CROPS", 1)
    monkeypatch.setattr(finetune, "BATCH", 2)
    library = tmp_path / "library"
    first = finetune.finetune(zorps, tiny_folder, library, minutes=0.02).n_steps
    again = finetune.finetune(zorps, tiny_folder, library, minutes=0.1)
    assert again.n_steps > first > 0
    about = json.loads((library / "retake.json").read_text())
    base, learned = load_checkpoint(tiny_folder), load_checkpoint(library)
    mark = base_mark(base.unet)
    assert about == {"name": "library", "base": str(tiny_folder), "base_mark": mark}
    assert not caplog.records
    (library / "retake.json").write_text(json.dumps(about | {"base_mark": "another"}))
    load_checkpoint(library)
    assert "another version" in caplog.text
    weights = load_file(library / "adapter/adapter.safetensors")
    name = next(key for key in weights if key.endswith("lora_A.weight")).removesuffix(
        ".lora_A.weight"
    )
    change = product(weights[f"{name}.lora_A.weight"], weights[f"{name}.lora_B.weight"])
    assert float(change.abs().max()) > 0
    was, now = (dict(c.unet.named_parameters())[f"{name}.weight"] for c in (base, learned))
    assert torch.allclose(now - was, change, atol=1e-6)

    weights[f"{name}.lora_A.weight"] = torch.zeros(3, 5)
    save_file(weights, library / "adapter/adapter.safetensors")
    with pytest.raises(CheckpointError, match="doesn't fit the base's unet"):
        load_checkpoint(library)
    (library / "adapter/adapter.safetensors").unlink()
    with pytest.raises(CheckpointError, match="adapter"):
        load_checkpoint(library)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def library(folder: Path, base: Path | str) -> Path:
    """A folder that says it stands on `base`."""
    folder.mkdir()
    (folder / "retake.json").write_text(json.dumps({"name": folder.name, "base": str(base)}))
    return folder


@pytest.mark.parametrize(
    ("base", "out", "fault"),
    [
        ("mine", "mine", "is the base itself"),
        ("whole", "whole", "is the base itself"),
        ("pocket", "whole", "holds a checkpoint"),
        ("whole", "mine", "was begun on pocket, not on .*whole"),
        ("whole", "stopped", "was begun on pocket"),
        ("whole", "orphan", "was begun on .*gone"),
    ],
)
def test_nothing_is_lost_to_the_wrong_out(
    tiny_folder: Path, zorps: Path, tmp_path: Path, base: str, out: str, fault: str
) -> None:
    shutil.copytree(tiny_folder, tmp_path / "whole")
    library(tmp_path / "mine", "pocket")
    library(tmp_path / "orphan", "/is/gone")
    (tmp_path / "stopped/run").mkdir(parents=True)  # before its first export
    (tmp_path / "stopped/run" / finetune.BASE).write_text("pocket\n")
    before = contents(tmp_path)
    named = base if base == "pocket" else tmp_path / base
    with pytest.raises(RequestError, match=fault):
        finetune.finetune(zorps, named, tmp_path / out, minutes=0.01)
    assert contents(tmp_path) == before


def test_peft_is_asked_for_before_any_work(
    zorps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(finetune, "AdapterTrainee", lambda *_: pytest.fail("it began"))
    with pytest.raises(RequestError, match=r"peft .*-m pip install peft"):
        finetune.finetune(zorps, "pocket", tmp_path / "library", minutes=0.01)
    assert not (tmp_path / "library").exists()


def test_a_library_on_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "retake.json").write_text('{"base": "no/such-model"}')
    with pytest.raises(CheckpointError, match="no/such-model"):
        load_checkpoint(tmp_path)
    (tmp_path / "retake.json").write_text(json.dumps({"base": str(tmp_path)}))
    with pytest.raises(CheckpointError, match="itself"):
        load_checkpoint(tmp_path)


def test_a_merged_convolution_is_the_adapted_one() -> None:
    """What peft computes beside the layer equals the merged weight."""
    from peft import LoraConfig, inject_adapter_in_model

    torch.manual_seed(0)
    plain = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3, padding=1))
    weight = plain[0].weight.detach().clone()
    adapted = inject_adapter_in_model(LoraConfig(r=4, lora_alpha=4, target_modules=["0"]), plain)
    down, up = adapted[0].lora_A["default"].weight, adapted[0].lora_B["default"].weight
    torch.nn.init.normal_(up)
    x = torch.randn(2, 3, 8, 8)
    merged = torch.nn.functional.conv2d(x, weight + product(down, up), plain[0].bias, padding=1)
    assert torch.allclose(adapted(x), merged, atol=1e-5)
