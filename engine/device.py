"""Where the networks run and in what precision."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from engine.errors import RequestError

DEVICES = ("auto", "cuda", "mps", "cpu")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Placement:
    """A device and the precision of the networks on it; latents and mels stay fp32 everywhere."""

    device: torch.device
    dtype: torch.dtype
    is_compiled: bool = False

    @property
    def memory_format(self) -> torch.memory_format:
        """The layout convolutions run fastest on."""
        return torch.contiguous_format if self.device.type == "mps" else torch.channels_last

    @property
    def heads_apart(self) -> bool:
        """Whether attention runs faster head by head than fused; see `attention`."""
        return (self.device.type, self.dtype) == ("cpu", torch.bfloat16) and not _able("amx_bf16")

    def place(self, network: Any) -> Any:
        """The network (a torch Module) moved here, in this precision and layout."""
        # diffusers' own `to` warns about modules to be kept in fp32, of which there are none.
        nn.Module.to(network, memory_format=self.memory_format)  # type: ignore[call-overload]
        return nn.Module.to(network, self.device, self.dtype)


def choose(
    device: str = "auto",
    dtype: str = "auto",
    threads: int | None = None,
    is_compiled: bool = False,
) -> Placement:
    """Where to run: the best device there is, unless one is named.

    Parameters
    ----------
    device : str
        "auto" (cuda, else mps, else cpu), "cuda", "cuda:1", "mps" or "cpu".
    dtype : str
        "auto": bf16 on CUDA and on a CPU with AMX or AVX512-bf16, else fp32. "fp32" for parity with
        other implementations, "bf16", "fp16" to force one.
    threads : int, optional
        CPU threads; torch's own choice when None.
    is_compiled : bool
        Whether torch.compile makes the UNet's kernels; on CUDA only.

    Raises
    ------
    RequestError
        `bad-value`: a device that isn't here, a precision of another name, less than one thread,
        compiling on another device than CUDA.
    """
    if threads is not None:
        if threads < 1:
            raise RequestError("bad-value", f"threads is {threads}; it must be at least 1")
        torch.set_num_threads(threads)
    where = _device(device)
    if dtype == "auto":
        precision = torch.bfloat16 if _likes_bf16(where) else torch.float32
    elif dtype in DTYPES:
        precision = DTYPES[dtype]
    else:
        raise RequestError(
            "bad-value", f"dtype is {dtype!r}; it must be one of auto, {', '.join(DTYPES)}"
        )
    if is_compiled and where.type != "cuda":
        raise RequestError(
            "bad-value",
            f"the UNet is compiled on CUDA only, and this runs on {where.type}; leave compile out",
        )
    if is_compiled and importlib.util.find_spec("triton") is None:  # torch's Windows builds lack it
        raise RequestError("bad-value", "compiling needs Triton, which is not installed here")
    return Placement(where, precision, is_compiled)


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Flush denormals to zero in this thread and those it starts; then as it was before.

    Near-silent audio is full of them, and each costs a hundred cycles.
    """
    flushed_before = sys.float_info.min / 2.0 == 0.0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed_before)


def _device(name: str) -> torch.device:
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": _has_mps()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if here[kind]))
    kind, _, index = name.partition(":")
    if kind not in here or (index and not index.isdigit()):
        raise RequestError(
            "bad-value", f"device is {name!r}; it must be one of {', '.join(DEVICES)}"
        )
    missing = not here[kind] or (
        index and kind == "cuda" and int(index) >= torch.cuda.device_count()
    )
    if missing:
        raise RequestError(
            "bad-value", f"device is {name!r}, which this machine doesn't have; use 'auto'"
        )
    return torch.device(name)


def _has_mps() -> bool:
    return sys.platform == "darwin" and torch.backends.mps.is_available()


def _likes_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    if device.type == "cpu":
        return _able("amx_bf16") or _able("avx512_bf16")
    return False


def _able(instructions: str) -> bool:
    ask = getattr(torch.cpu, "get_capabilities", None)  # older torch can't say
    return ask is not None and bool(ask().get(instructions))


def give_back_memory() -> None:
    """Let a graphics card have the memory that torch only keeps in store."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
