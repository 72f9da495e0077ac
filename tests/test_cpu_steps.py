"""Shorter training steps on a CPU: the same gradients, the same weights' names."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from engine.training import cpu_steps
from engine.training.cpu_steps import LongRows, shorten, side_by_side
from engine.training.diffusion import UNET

SMALL = UNET | {
    "block_out_channels": (64, 64),
    "cross_attention_dim": (64, 64),
    "attention_head_dim": 8,
}


@pytest.mark.parametrize(("n_images", "width"), [(12, 8), (12, 4), (7, 4), (1, 8), (2, 100)])
def test_gradients_are_those_of_a_convolution(n_images: int, width: int) -> None:
    torch.manual_seed(0)
    given = (
        torch.randn(n_images, 5, 6, width, dtype=torch.float64, requires_grad=True),
        torch.randn(7, 5, 3, 3, dtype=torch.float64, requires_grad=True),
        torch.randn(7, dtype=torch.float64, requires_grad=True),
    )
    assert torch.autograd.gradcheck(lambda *g: LongRows.apply(*g), given, fast_mode=True)
    plain = nn.functional.conv2d(*given, padding=1)
    weights = torch.randn_like(plain)
    wanted = torch.autograd.grad((plain * weights).sum(), given)
    made = LongRows.apply(*given)
    assert torch.equal(made, plain)
    found = torch.autograd.grad((made * weights).sum(), given)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b)


def test_images_lie_apart() -> None:
    images = torch.arange(1.0, 13.0).reshape(4, 1, 1, 3)
    rows = side_by_side(images, 2)
    assert rows.tolist() == [[[[1, 2, 3, 0, 4, 5, 6, 0]]], [[[7, 8, 9, 0, 10, 11, 12, 0]]]]


def _gradients(network: nn.Module, make: Callable[[nn.Module], Tensor]) -> dict[str, Tensor]:
    with torch.autocast("cpu", torch.bfloat16):
        made = make(network)
    made.float().square().mean().backward()
    return {n: p.grad for n, p in network.named_parameters() if p.grad is not None}


def _assert_alike(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    assert list(found) == list(wanted)
    for name, gradient in wanted.items():
        if gradient.norm() > 1e-3:
            flat = (found[name].flatten(), gradient.flatten())
            assert nn.functional.cosine_similarity(*flat, dim=0) > 0.98, name


def test_a_shortened_unet_learns_the_same_and_keeps_its_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cpu_steps.shutil, "which", lambda name: None)
    torch.manual_seed(0)
    plain: nn.Module = UNet2DConditionModel(**SMALL)
    short: nn.Module = UNet2DConditionModel(**SMALL)
    short.load_state_dict(plain.state_dict())
    shorten(short)
    assert list(short.state_dict()) == list(plain.state_dict())
    latents, texts, times = torch.randn(6, 16, 16, 8), torch.randn(6, 256), torch.arange(6) * 100

    def make(unet: nn.Module) -> Tensor:
        made: Tensor = unet(latents, times, None, class_labels=texts).sample
        return made

    _assert_alike(_gradients(short, make), _gradients(plain, make))


@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling needs a C++ compiler")
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_compiled_steps_learn_the_same() -> None:
    torch.manual_seed(0)

    def build() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(64, 64, 3, padding=1), nn.GroupNorm(8, 64), nn.SiLU(), nn.Conv2d(64, 8, 1)
        )

    plain, short = build(), build()
    short.load_state_dict(plain.state_dict())
    shorten(short)
    images = torch.randn(6, 64, 16, 8)
    wanted = _gradients(plain, lambda network: network(images))
    _assert_alike(_gradients(short, lambda network: network(images)), wanted)
