"""Rewritten networks answer as the ones they were."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.checkpoint import load_checkpoint
from engine.device import Placement, choose
from engine.kernels import HeadsApart, attend, prepared, turned_input, turned_output

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
    q, k, v = (torch.randn(4, n_tokens, 16) for _ in range(3))
    wanted = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    assert torch.allclose(attend(q * 16**-0.5, k, v), wanted, atol=1e-5)


def test_heads_are_kept_apart_only_where_it_is_faster() -> None:
    able = torch.cpu.get_capabilities()
    on_cpu = Placement(torch.device("cpu"), torch.bfloat16)
    assert on_cpu.heads_apart is not able.get("amx_bf16", False)
    assert not Placement(torch.device("cpu"), torch.float32).heads_apart
    assert not Placement(torch.device("cuda"), torch.bfloat16).heads_apart


def test_bf16_is_near_fp32(tiny_folder: Path) -> None:
    half = Placement(torch.device("cpu"), torch.bfloat16)
    z, labels = torch.randn(2, 4, 64, 16), torch.randn(2, 24)
    with torch.inference_mode():
        wanted = load_checkpoint(tiny_folder).unet(z, 300, None, class_labels=labels).sample
        network = prepared(load_checkpoint(tiny_folder).unet, half)
        answer = network(turned_input(z, half), 300, None, class_labels=labels.bfloat16())
        found = turned_output(answer.sample)
    assert float((found - wanted).norm() / wanted.norm()) < 0.05
