"""torch.compile for who asks for it: the UNet as kernels made for one graphics card, and kept.

Making them takes minutes, once; they are kept in the user's cache folder, and the next start takes
them from there. They are replayed as CUDA graphs, so that a step costs no launches. On a CPU there
is nothing to gain: the packed layers of lean.py are as fast, and torch.compile can't see into them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch


def compiled(forward: Callable[..., Any], backend: str = "inductor") -> Callable[..., Any]:
    """A network's `forward`, to be compiled at its first call, for images of any size.

    Parameters
    ----------
    forward : callable
        Of a network that is placed on its device. It is given timesteps as numbers.
    backend : str
        torch.compile's; "eager" traces and makes no kernels.
    """
    import platformdirs

    cache = platformdirs.user_cache_dir("retake", appauthor=False)
    folder = os.path.join(cache, f"kernels-{torch.__version__}")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", folder)
    mode = "reduce-overhead" if backend == "inductor" else None
    fast = torch.compile(forward, backend=backend, mode=mode, dynamic=True, fullgraph=True)

    def compiled_forward(sample: torch.Tensor, timestep: int, **given: Any) -> Any:
        # A number would be built into the kernels; a tensor is read by them.
        return fast(sample, torch.tensor(timestep, device=sample.device), **given)

    return compiled_forward
