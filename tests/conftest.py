"""Fixtures that several test files share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tiny as tiny_checkpoint

if TYPE_CHECKING:
    from engine import Region
    from engine.engine import Engine


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint with random weights and all parts. Copy it before changing it."""
    return tiny_checkpoint.build(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> Engine:
    """An engine on the tiny checkpoint, in fp32."""
    from engine import Engine

    return Engine.load(tiny_folder, device="cpu", dtype="fp32")


@pytest.fixture(scope="session")
def pocket() -> Engine:
    """An engine on the embedded checkpoint."""
    from engine import Engine

    return Engine.load("pocket", device="cpu")


@pytest.fixture
def clip() -> Region:
    """1.5 s of stereo at 44.1 kHz: a gliding tone, clicks, a little noise; the sides differ."""
    from engine import Region

    rate = 44100
    time_s = np.arange(rate * 3 // 2) / rate
    tone = 0.3 * np.sin(2 * np.pi * (300 + 400 * time_s) * time_s)
    clicks = 0.5 * (np.arange(len(time_s)) % (rate // 4) < 40)
    noise = 0.02 * np.random.default_rng(7).standard_normal((len(time_s), 2))
    return Region((np.stack((tone, 0.6 * tone + clicks), 1) + noise).astype(np.float32), rate)
