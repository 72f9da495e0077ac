"""The tenth promise to the host, honest failure: what can't be met is refused in words, and no take
is ever NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from requests_of_hosts import PROMPT, Sound

from engine import (
    Bandwidth,
    Continue,
    Edit,
    Engine,
    FaultError,
    Hole,
    Inpaint,
    Loop,
    Region,
    RequestError,
    Transfer,
    Vary,
)


@pytest.fixture(scope="session")
def engine(pocket: Engine) -> Engine:
    """The embedded checkpoint."""
    return pocket


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (Inpaint(holes=(Hole(0, 10**6),)), "bad-value"),
        (Inpaint(holes=(Hole(10, 10, 30000.0, 40000.0),)), "bad-value"),
        (Bandwidth(cutoff=23000.0), "bad-value"),
        (Bandwidth(cutoff=96000.0), "bad-value"),
    ],
)
def test_requests_that_cannot_be_met_say_why(engine: Engine, edit: Edit, code: str) -> None:
    with pytest.raises(RequestError, match=r"\d") as caught:
        engine.edit(Sound(44100, 44100, 1).region(), edit)
    assert caught.value.code == code


def extremes(n_frames: int) -> dict[str, np.ndarray]:
    """Sounds at the ends of what a float can hold and a host may send."""
    rng = np.random.default_rng(0)
    click = np.zeros(n_frames)
    click[n_frames // 2] = 1.0
    return {
        "silence": np.zeros(n_frames),
        "dc": np.full(n_frames, 0.5),
        "clipped": np.sign(rng.standard_normal(n_frames)),
        "click": click,
        "loud": rng.standard_normal(n_frames) * 1e8,
        "faint": rng.standard_normal(n_frames) * 1e-7,
        "denormal": rng.standard_normal(n_frames) * 1e-41,
        "nyquist": np.where(np.arange(n_frames) % 2, 1.0, -1.0),
        "one odd frame": np.where(np.arange(n_frames) == 0, 1.0, 1e-9),
    }


#: What some edits may refuse: the model hears nothing in it.
NEARLY_NOTHING = ("silence", "dc", "denormal", "nyquist", "click")


@pytest.mark.parametrize("name", extremes(2))
@pytest.mark.parametrize("n_frames", [1, 2000, 20000])
def test_a_take_is_finite_or_refused(engine: Engine, name: str, n_frames: int) -> None:
    region = Region(extremes(n_frames)[name], 44100)
    edits: list[Edit] = [
        Transfer(prompt=PROMPT, steps=2),
        Vary(steps=2),
        Inpaint(holes=(Hole(n_frames // 3, max(1, n_frames // 3)),), steps=2),
        Bandwidth(cutoff=3000.0, steps=2),
        Continue(seconds=0.1, steps=2),
        Loop(seam=0.05, steps=2),
    ]
    for edit in edits:
        try:
            take = engine.edit(region, edit)
        except RequestError:
            assert name in NEARLY_NOTHING
            continue
        assert np.isfinite(take.samples).all()
        most = max(float(np.abs(region.samples).max()), 0.1)
        assert np.abs(take.samples).max() < 100 * most


def test_a_broken_model_is_a_fault(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vocoder that answers NaN gives an error with a code, not a take."""
    networks = engine.networks
    voice = type(networks).voice

    def broken(*args: Any, **kwargs: Any) -> np.ndarray:
        wave = np.array(voice(*args, **kwargs))
        wave[len(wave) // 2] = np.nan
        return wave

    monkeypatch.setattr(type(networks), "voice", broken)
    region = Sound(44100, 9000, 1).region()
    for edit in (Transfer(steps=1), Inpaint(holes=(Hole(0, 99),), steps=1), Loop(steps=1)):
        with pytest.raises(FaultError) as caught:
            engine.edit(region, edit)
        assert caught.value.code == "internal"
