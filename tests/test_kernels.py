"""Rewritten networks answer as the ones they were."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers.models.upsampling import Upsample2D

from engine.attention import attend
from engine.checkpoint import load_checkpoint
from engine.compiling import compiled
from engine.depths import Depths
from engine.device import Placement, choose
from engine.hifigan import FastHifiGan, Upsampler
from engine.kernels import HeadsApart, prepared, turned_input, turned_output
from engine.lean import NormSilu, Upsample
from engine.packed import PackedConv2d, PackedLinear, can_pack
from engine.vocoder import IstftVocoder, IstftVocoderConfig
from engine.voices import prepared_vocoder

CPU = choose("cpu", "fp32")


@pytest.mark.parametrize("shape", [(2, 4, 24, 16), (1, 4, 6, 16), (3, 4, 17, 9)])
@pytest.mark.parametrize("apart", [False, True])
def test_a_prepared_unet_answers_the_same(
    tiny_folder: Path, shape: tuple[int, ...], apart: bool
) -> None:
    network, other = load_checkpoint(tiny_folder).unet, load_checkpoint(tiny_folder).unet
    z, labels = torch.randn(shape), torch.randn(shape[0], 24)
    with torch.inference_mode():
        wanted = network(z, 300, None, class_labels=labels).sample
        other = prepared(other, CPU)
        if apart:
            other.set_attn_processor(HeadsApart())
        found = turned_output(other(turned_input(z, CPU), 300, None, class_labels=labels).sample)
    assert torch.allclose(found, wanted, atol=1e-4 * float(wanted.abs().max()))


@pytest.mark.slow
def test_a_unet_is_traced_whole_for_torch_compile(tiny_folder: Path) -> None:
    """Without breaks, once for batches of every size: a card's kernels serve all windows."""
    network = load_checkpoint(tiny_folder).unet
    Depths(network)  # as denoise.py has it
    fast, counts = compiled(network.forward, backend="eager"), torch._dynamo.utils.counters
    counts.clear()
    with torch.inference_mode():
        for shape, timestep in (((2, 4, 20, 16), 300), ((4, 4, 40, 16), 20), ((2, 4, 32, 16), 7)):
            z, labels = torch.randn(shape), torch.randn(shape[0], 24)
            found = fast(z, timestep, encoder_hidden_states=None, class_labels=labels).sample
            wanted = network(z, timestep, None, class_labels=labels).sample
            assert torch.allclose(found, wanted, atol=1e-5)
    assert counts["stats"]["unique_graphs"] == 1


@pytest.mark.parametrize("apart", [False, True])
def test_a_prepared_vae_answers_the_same(tiny_folder: Path, apart: bool) -> None:
    network, other = load_checkpoint(tiny_folder).vae, load_checkpoint(tiny_folder).vae
    mel = torch.randn(2, 1, 96, 64)
    with torch.inference_mode():
        latents = network.encode(mel).latent_dist.mode()
        decoded = network.decode(latents).sample
        other = prepared(other, CPU)
        if apart:
            other.set_attn_processor(HeadsApart())
        found = turned_output(other.encode(turned_input(mel, CPU)).latent_dist.mode())
        again = turned_output(other.decode(turned_input(latents, CPU)).sample)
    assert torch.allclose(found, latents, atol=1e-4 * float(latents.abs().max()))
    assert torch.allclose(again, decoded, atol=1e-4 * float(decoded.abs().max()))


@pytest.mark.parametrize("n_tokens", [1, 64, 512, 513, 1500, 2048])
def test_attention_by_heads_is_attention(n_tokens: int) -> None:
    q, k, v = (torch.randn(2, 3, n_tokens, 16) for _ in range(3))
    wanted = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    assert torch.allclose(attend(q * 16**-0.5, k, v), wanted, atol=1e-5)


def test_large_scores_do_not_overflow() -> None:
    q, k, v = (torch.randn(1, 2, 600, 16) for _ in range(3))
    q = 100.0 * q
    wanted = torch.nn.functional.scaled_dot_product_attention(q, k, v, scale=1.0)
    assert torch.allclose(attend(q, k, v), wanted, atol=1e-2)  # a score of 1000 has 4 digits left


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_packed_layers_answer_as_plain_ones_at_every_size(dtype: torch.dtype) -> None:
    if not can_pack(dtype):
        pytest.skip(f"this processor's kernels take plain weights in {dtype}")
    conv, linear = torch.nn.Conv2d(48, 40, 3, padding=1), torch.nn.Linear(48, 40)
    conv.to(dtype=dtype, memory_format=torch.channels_last)
    linear.to(dtype)
    packed = PackedConv2d(conv, dtype)
    bound = 1e-4 if dtype == torch.float32 else 0.05
    with torch.inference_mode():
        for height, width in ((4, 32), (8, 64), (5, 7), (4, 32)):  # more than are kept ready
            x = torch.randn(2, 48, height, width, dtype=dtype)
            x = x.contiguous(memory_format=torch.channels_last)
            assert torch.allclose(packed(x), conv(x), atol=bound)
        x = torch.randn(2, 7, 48, dtype=dtype)
        found = PackedLinear(linear.weight, linear.bias, dtype, gelu=True)(x)
        assert torch.allclose(found, torch.nn.functional.gelu(linear(x)), atol=bound)


@pytest.mark.parametrize("shape", [(2, 96, 8, 16), (1, 64, 32, 40)])
@pytest.mark.parametrize("silu", [False, True])
def test_norm_of_bf16_is_that_of_fp32(shape: tuple[int, ...], silu: bool) -> None:
    norm = torch.nn.GroupNorm(32, shape[1])
    torch.nn.init.normal_(norm.weight)
    x = (3.0 + torch.randn(shape)).bfloat16().contiguous(memory_format=torch.channels_last)
    before = x.clone()
    with torch.inference_mode():
        wanted = norm(x.float())
        wanted = torch.nn.functional.silu(wanted) if silu else wanted
        found = NormSilu(norm, torch.bfloat16, silu)(x).float()
    assert torch.equal(x, before)
    assert float((found - wanted).norm() / wanted.norm()) < 0.01


@pytest.mark.parametrize("size", [None, (10, 14), (9, 13)])
def test_upsampling_without_the_large_image(size: tuple[int, int] | None) -> None:
    block = Upsample2D(16, use_conv=True, out_channels=24).eval()
    x = torch.randn(2, 16, 5, 7).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        found = Upsample(block, torch.float32)(x, size)
        assert torch.allclose(found, block(x, size), atol=1e-5)


@pytest.mark.skipif(not can_pack(), reason="this processor's kernels take plain weights")
@pytest.mark.parametrize("n_frames", [1, 7, 90])
def test_a_prepared_hifigan_answers_the_same(
    tiny_folder: Path, n_frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocoder, other = load_checkpoint(tiny_folder).vocoder, load_checkpoint(tiny_folder).vocoder
    monkeypatch.setattr("engine.hifigan.CHUNK_NUMBERS", 2**10)
    monkeypatch.setattr("engine.hifigan.LEAST_REACHES", 1)  # chunks of a few frames
    other = prepared_vocoder(other, CPU)
    assert isinstance(other.network, FastHifiGan)
    mel = torch.randn(1, n_frames, 64) - 4
    with torch.inference_mode():
        wanted, found = vocoder(mel), other(mel)
    assert found.shape == wanted.shape
    assert float((found - wanted).norm() / wanted.norm()) < 1e-4


@pytest.mark.skipif(not can_pack(), reason="this processor's kernels take plain weights")
@pytest.mark.parametrize(("rate", "taps"), [(5, 16), (4, 16), (2, 8), (2, 4), (3, 3), (5, 15)])
def test_a_transposed_convolution_as_a_plain_one(rate: int, taps: int) -> None:
    conv = torch.nn.ConvTranspose1d(12, 8, taps, rate, padding=(taps - rate) // 2)
    x = torch.randn(1, 12, 1, 23).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        found, wanted = Upsampler(conv, torch.float32)(x)[:, :, 0], conv(x[:, :, 0])
    assert found.shape == wanted.shape
    assert torch.allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("dtype", "bound", "harmonic"),
    [("fp32", 1e-4, False), ("bf16", 0.02, False), ("fp32", 1e-3, True)],
)
def test_a_prepared_istft_vocoder_answers_the_same(
    dtype: str, bound: float, harmonic: bool
) -> None:
    config = IstftVocoderConfig(
        width=32, n_blocks=2, noise_channels=2, harmonic=harmonic, mel_steps=1
    )
    torch.manual_seed(3)
    vocoder = IstftVocoder(config).eval()
    if harmonic:  # a pitch all along, lest rounding choose another
        vocoder.source_head.bias.data[64 + 30] = 9.0
    mel = torch.randn(1, 60, 64) - 4
    with torch.inference_mode():
        wanted = vocoder(mel)
        found = prepared_vocoder(vocoder, choose("cpu", dtype))(mel)
    assert float((found - wanted).norm() / wanted.norm()) < bound


def test_heads_are_kept_apart_only_where_it_is_faster() -> None:
    able = torch.cpu.get_capabilities()
    on_cpu = Placement(torch.device("cpu"), torch.bfloat16)
    assert on_cpu.heads_apart is not able.get("amx_bf16", False)
    assert not Placement(torch.device("cpu"), torch.float32).heads_apart
    assert not Placement(torch.device("cuda"), torch.bfloat16).heads_apart


@pytest.mark.parametrize("packs", [True, False])
def test_bf16_is_near_fp32(tiny_folder: Path, packs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With packed layers where the processor has them, and without, as on those before AVX512."""
    if not packs:
        for module in ("kernels", "lean", "voices"):
            monkeypatch.setattr(f"engine.{module}.can_pack", lambda dtype: False)
    half = Placement(torch.device("cpu"), torch.bfloat16)
    z, labels = torch.randn(2, 4, 64, 16), torch.randn(2, 24)
    with torch.inference_mode():
        wanted = load_checkpoint(tiny_folder).unet(z, 300, None, class_labels=labels).sample
        network = prepared(load_checkpoint(tiny_folder).unet, half)
        answer = network(turned_input(z, half), 300, None, class_labels=labels.bfloat16())
        found = turned_output(answer.sample)
    assert float((found - wanted).norm() / wanted.norm()) < 0.05
