"""Where networks run."""

from __future__ import annotations

import sys

import pytest
import torch

from engine.device import choose, denormals_flushed
from engine.errors import RequestError


def test_auto_is_something_this_machine_has() -> None:
    placement = choose()
    network = placement.place(torch.nn.Conv2d(3, 4, 3))
    x = torch.randn(1, 3, 8, 8, device=placement.device, dtype=placement.dtype)
    assert torch.isfinite(network(x)).all()


def test_bf16_only_where_the_processor_has_it() -> None:
    able = torch.cpu.get_capabilities()
    fast = able.get("amx_bf16") or able.get("avx512_bf16")
    assert choose("cpu").dtype == (torch.bfloat16 if fast else torch.float32)
    assert choose("cpu", "fp32").dtype == torch.float32


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:x", "", "tpu"])
def test_devices_that_are_not_here(device: str) -> None:
    with pytest.raises(RequestError, match="device is") as caught:
        choose(device)
    assert caught.value.code == "bad-value"


def test_bad_dtype_and_threads() -> None:
    with pytest.raises(RequestError, match="'fp8'"):
        choose("cpu", "fp8")
    with pytest.raises(RequestError, match="threads is 0"):
        choose("cpu", threads=0)


def test_nothing_is_compiled_on_a_cpu() -> None:
    with pytest.raises(RequestError, match="on CUDA only, and this runs on cpu"):
        choose("cpu", is_compiled=True)


def test_denormals_are_flushed_and_then_as_before() -> None:
    tiny = torch.full((8,), 1e-38)
    assert float((tiny * 0.01).max()) > 0.0
    with denormals_flushed():
        assert float((tiny * 0.01).max()) == 0.0
        with denormals_flushed():
            pass
        assert float((tiny * 0.01).max()) == 0.0
    assert float((tiny * 0.01).max()) > 0.0
    assert sys.float_info.min / 2 > 0.0
