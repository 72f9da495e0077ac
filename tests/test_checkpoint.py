"""Folders that load, and folders that are refused with a sentence naming the part."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny as tiny_checkpoint
import torch
from safetensors.torch import load_file, save_file

from engine.checkpoint import POCKET, load_checkpoint
from engine.errors import CheckpointError

UNET_WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
VAE_WEIGHTS = "vae/diffusion_pytorch_model.safetensors"


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint to break."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "broken"))


def edit_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_weights(path: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    weights = load_file(path)
    change(weights)
    save_file(weights, path)


def test_numbers_come_from_the_configs(tiny_folder: Path) -> None:
    parts = load_checkpoint(tiny_folder)
    g = parts.geometry
    assert (g.rate, g.hop_samples, g.n_mels) == (16000, 160, 64)
    assert (g.stride, g.latent_channels, g.latent_bins) == (4, 4, 16)
    assert (g.window_frames, g.window_cells, g.multiple_cells) == (128, 32, 2)
    assert (parts.name, parts.scaling_factor) == ("tiny", 0.9)


def test_other_strides_and_hops(tmp_path: Path) -> None:
    vae = {
        "block_out_channels": (8, 8, 8, 16),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
    }
    vocoder = {"upsample_rates": [5, 4, 2, 2, 4], "sampling_rate": 32000}
    tiny_checkpoint.build(tmp_path, clap=False, window_frames=None, vae=vae, vocoder=vocoder)
    parts = load_checkpoint(tmp_path)
    assert (parts.geometry.stride, parts.geometry.hop_samples) == (8, 320)
    assert (parts.geometry.rate, parts.geometry.window_frames) == (32000, 1024)
    assert parts.name == tmp_path.name


def test_weights_are_the_files(tiny_folder: Path) -> None:
    parts = load_checkpoint(tiny_folder)
    for network, path in ((parts.unet, UNET_WEIGHTS), (parts.vae, VAE_WEIGHTS)):
        weights = load_file(tiny_folder / path)
        assert network.state_dict().keys() == weights.keys()
        assert all(
            torch.equal(value, weights[name]) for name, value in network.state_dict().items()
        )
    assert not any(parameter.requires_grad for parameter in parts.unet.parameters())
    assert not parts.unet.training


def test_half_precision_files_load_in_fp32(folder: Path) -> None:
    def halve(weights: dict[str, torch.Tensor]) -> None:
        weights.update({name: value.half() for name, value in weights.items()})

    edit_weights(folder / UNET_WEIGHTS, halve)
    dtypes = {value.dtype for value in load_checkpoint(folder).unet.state_dict().values()}
    assert dtypes == {torch.float32}


def test_old_names_of_the_vaes_attention(folder: Path) -> None:
    """AudioLDM's files are older than diffusers' present names for these layers."""
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def rename(weights: dict[str, torch.Tensor]) -> None:
        for name in list(weights):
            for new_name, old_name in old.items():
                if f".{new_name}." in name and ".attentions." in name:
                    weights[name.replace(f".{new_name}.", f".{old_name}.")] = weights.pop(name)

    wanted = load_checkpoint(folder).vae.state_dict()
    edit_weights(folder / VAE_WEIGHTS, rename)
    assert any("query" in name for name in load_file(folder / VAE_WEIGHTS))
    found = load_checkpoint(folder).vae.state_dict()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def test_clap_is_optional(folder: Path) -> None:
    shutil.rmtree(folder / "clap")
    assert load_checkpoint(folder).audio_tower is None


@pytest.mark.parametrize(
    "part", ["unet", "vae", "vocoder", "text_encoder", "tokenizer", "scheduler"]
)
def test_missing_part_is_named(folder: Path, part: str) -> None:
    shutil.rmtree(folder / part)
    with pytest.raises(CheckpointError, match=f"^{part}/ .*missing") as caught:
        load_checkpoint(folder)
    assert caught.value.code == "model-unavailable"


@pytest.mark.parametrize("part", ["unet", "vae", "vocoder", "text_encoder", "clap"])
def test_missing_weights_are_named(folder: Path, part: str) -> None:
    for path in (folder / part).glob("*.safetensors"):
        path.unlink()
    with pytest.raises(CheckpointError, match=rf"^{part}/ .*has no .*\.safetensors"):
        load_checkpoint(folder)


@pytest.mark.parametrize("part", ["unet", "vae", "vocoder", "text_encoder", "clap"])
def test_pickled_weights_are_refused_unread(folder: Path, part: str) -> None:
    (weights,) = (folder / part).glob("*.safetensors")
    weights.unlink()
    (folder / part / "pytorch_model.bin").write_bytes(b"a pickle would run here")
    with pytest.raises(CheckpointError, match=rf"^{part}/ .*pickled .*save_pretrained"):
        load_checkpoint(folder)


def test_missing_tensor_is_named(folder: Path) -> None:
    edit_weights(folder / UNET_WEIGHTS, lambda weights: weights.pop("conv_in.bias"))
    with pytest.raises(CheckpointError, match=r"^unet/ .*lack conv_in\.bias"):
        load_checkpoint(folder)


def test_wrong_shape_is_named(folder: Path) -> None:
    def widen(weights: dict[str, torch.Tensor]) -> None:
        weights["conv_in.bias"] = torch.zeros(17)

    edit_weights(folder / UNET_WEIGHTS, widen)
    with pytest.raises(CheckpointError, match=r"^unet/ .*conv_in\.bias is \(17,\).*\(16,\)"):
        load_checkpoint(folder)


def test_left_over_tensor_is_named(folder: Path) -> None:
    def add(weights: dict[str, torch.Tensor]) -> None:
        weights["conv_extra.bias"] = torch.zeros(2)

    edit_weights(folder / VAE_WEIGHTS, add)
    with pytest.raises(CheckpointError, match=r"^vae/ .*conv_extra\.bias"):
        load_checkpoint(folder)


@pytest.mark.parametrize("part", ["unet", "vae", "vocoder", "text_encoder", "clap"])
def test_cut_off_file_is_named(folder: Path, part: str) -> None:
    (weights,) = (folder / part).glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=rf"^{part}/ .*broken"):
        load_checkpoint(folder)


@pytest.mark.parametrize("part", ["unet", "vae", "vocoder", "text_encoder", "clap"])
@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00"])
def test_broken_config_is_named(folder: Path, part: str, text: str) -> None:
    (folder / part / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=rf"^{part}/ .*config\.json"):
        load_checkpoint(folder)


def test_config_of_another_network_is_named(folder: Path) -> None:
    edit_json(folder / "unet" / "config.json", _class_name="UNet1DModel")
    with pytest.raises(CheckpointError, match=r"^unet/ .*UNet1DModel"):
        load_checkpoint(folder)


def test_config_no_network_can_be_built_from(folder: Path) -> None:
    edit_json(folder / "unet" / "config.json", down_block_types=["NoSuchBlock"])
    with pytest.raises(CheckpointError, match=r"^unet/ .*config\.json"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"unet": {"in_channels": 8}}, "unet/ .*in_channels is 8, vae/ latent_channels is 4"),
        ({"unet": {"out_channels": 8}}, "unet/ .*out_channels is 8"),
        ({"unet": {"projection_class_embeddings_input_dim": 32}}, "unet/ .*32.*text_encoder/.* 24"),
        ({"unet": {"cross_attention_dim": (16, 8)}}, r"unet/ .*cross_attention_dim is \[16, 8\]"),
        ({"unet": {"class_embed_type": None}}, "unet/ .*class_embed_type is None"),
        ({"vocoder": {"model_in_dim": 63}}, "vocoder/ .*stride"),
        ({"vae": {"in_channels": 2}}, "vae/ .*in_channels is 2"),
        ({"scheduler": {"prediction_type": "sample"}}, "scheduler/ .*'sample'"),
    ],
)
def test_parts_that_do_not_fit(
    tmp_path: Path, changes: dict[str, dict[str, object]], sentence: str
) -> None:
    if changes.get("unet", {}).get("class_embed_type", "") is None:
        changes["unet"]["class_embeddings_concat"] = False
    tiny_checkpoint.build(tmp_path, clap=False, **changes)
    with pytest.raises(CheckpointError, match=f"^{sentence}"):
        load_checkpoint(tmp_path)


def test_clap_of_another_width_is_refused(folder: Path, tmp_path: Path) -> None:
    other = tiny_checkpoint.build(tmp_path / "other", text={"projection_dim": 32})
    shutil.rmtree(folder / "clap")
    shutil.copytree(other / "clap", folder / "clap")
    with pytest.raises(CheckpointError, match=r"^clap/ .*32"):
        load_checkpoint(folder)


def test_clap_that_is_not_the_text_encoders_is_refused(folder: Path) -> None:
    def blur(weights: dict[str, torch.Tensor]) -> None:
        weights["text_projection.linear1.weight"] += 0.1

    edit_weights(folder / "clap" / "model.safetensors", blur)
    with pytest.raises(CheckpointError, match=r"^clap/ .*text half"):
        load_checkpoint(folder)


@pytest.mark.parametrize("window_frames", [0, -128, 100, "long", 12.5, None])
def test_window_must_fit_the_grid(folder: Path, window_frames: object) -> None:
    (folder / "retake.json").write_text(json.dumps({"window_frames": window_frames}))
    with pytest.raises(CheckpointError, match="window_frames"):
        load_checkpoint(folder)


@pytest.mark.parametrize("n_fft", [0, 100, 1023, "wide", None])
def test_fft_must_fit_the_hop(folder: Path, n_fft: object) -> None:
    (folder / "retake.json").write_text(json.dumps({"n_fft": n_fft}))
    with pytest.raises(CheckpointError, match="n_fft"):
        load_checkpoint(folder)


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_broken_about_is_named(folder: Path, text: str) -> None:
    (folder / "retake.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"retake\.json"):
        load_checkpoint(folder)


@pytest.mark.parametrize("text", ["{", '{"version": "1.0"}', ""])
def test_broken_tokenizer_is_named(folder: Path, text: str) -> None:
    (folder / "tokenizer" / "tokenizer.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"^tokenizer/ "):
        load_checkpoint(folder)


def test_front_end_of_clap_must_be_whole(folder: Path) -> None:
    (folder / "clap" / "preprocessor_config.json").write_text('{"sampling_rate": 16000}')
    with pytest.raises(CheckpointError, match=r"^clap/ .*lacks max_length_s"):
        load_checkpoint(folder)


@pytest.mark.parametrize("name", ["no-such-model", "nobody/no-such-model", "", "../..//x", "😀"])
def test_unknown_checkpoint(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"no checkpoint is called|missing") as caught:
        load_checkpoint(name or "nothing here")
    assert caught.value.code == "unknown-model"


def test_loading_pocket_is_quick() -> None:
    load_checkpoint(POCKET)  # imports what it needs
    start_s = time.process_time()  # a machine with much else to do counts less
    load_checkpoint(POCKET)
    assert time.process_time() - start_s < 3.0
