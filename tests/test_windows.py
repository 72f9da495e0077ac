"""Windows cover everything, their weights sum to one, and seams vanish."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.windows import fitted_window, in_windows, window_starts, window_weights


@given(st.integers(1, 500), st.integers(2, 60), st.data())
def test_windows_cover_everything(length: int, window: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, window - 1))
    starts = window_starts(length, window, overlap)
    assert starts[0] == 0
    assert all(b - a <= window - overlap for a, b in pairwise(starts))
    if length > window:
        assert starts[-1] + window == length
        assert all(b > a for a, b in pairwise(starts))


@given(st.integers(33, 300), st.sampled_from([(32, 16, 4), (32, 8, 0), (20, 10, 2)]))
def test_every_entry_is_weighed(length: int, sizes: tuple[int, int, int]) -> None:
    window, overlap, discard = sizes
    total = torch.zeros(length)
    for start in window_starts(length, window, overlap):
        total[start : start + window] += window_weights(start, window, length, overlap, discard)
    assert float(total.min()) > 0.1


def test_discarded_context_weighs_nothing_but_at_the_ends() -> None:
    weights = window_weights(10, 32, 100, overlap=16, discard=4)
    assert torch.equal(weights[:4], torch.zeros(4))
    assert torch.equal(weights[-4:], torch.zeros(4))
    assert window_weights(0, 32, 100, 16, 4)[0] == 1.0
    assert window_weights(68, 32, 100, 16, 4)[-1] == 1.0


@pytest.mark.parametrize("ratio", [1, 4, 0.25])
@pytest.mark.parametrize("length", [8, 64, 100, 332])
def test_a_pointwise_network_shows_no_seam(ratio: float, length: int) -> None:
    def network(x: torch.Tensor) -> torch.Tensor:
        if ratio >= 1:
            return x.repeat_interleave(int(ratio), 1).square()
        return x.unflatten(1, (-1, round(1 / ratio))).mean(2).square()

    x = torch.randn(2, length, 3)
    found = in_windows(network, x, window=64, overlap=32, discard=8, ratio=ratio)
    assert torch.allclose(found, network(x), atol=1e-5)


def test_a_network_that_errs_at_its_borders_is_not_heard() -> None:
    """Zero padding spoils the outermost entries: exactly the discarded ones."""
    kernel = torch.ones(1, 1, 9) / 9

    def network(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv1d(x[:, None], kernel, padding=4)[:, 0]

    x = torch.randn(1, 500)
    found = in_windows(network, x, window=64, overlap=32, discard=4)
    assert torch.allclose(found, network(x), atol=1e-5)
    assert not torch.allclose(in_windows(network, x, 64, 32, 0), network(x), atol=1e-3)


def test_windows_that_disagree_meet_without_a_step() -> None:
    """Every other window is 3 dB louder: no more than half a decibel from a cell to the next."""
    calls = iter(range(1000))

    def network(x: torch.Tensor) -> torch.Tensor:
        return x * (10 ** (3 / 20) if next(calls) % 2 else 1.0)

    level = in_windows(network, torch.ones(1, 1000), window=256, overlap=64, discard=0)
    steps_db = (20 * level.log10()).diff().abs()
    assert float(steps_db.max()) < 0.5
    assert float(steps_db.sum()) > 2.9  # they do disagree


def test_every_window_is_heard_and_may_stop_it() -> None:
    heard = []

    def listen(share: float) -> None:
        heard.append(share)
        if share > 0.4:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        in_windows(lambda x: x, torch.zeros(1, 640, 2), 64, 0, 0, on_window=listen)
    assert heard == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


def test_the_network_never_sees_more_than_a_window() -> None:
    seen = []

    def network(x: torch.Tensor) -> torch.Tensor:
        seen.append(x.shape[1])
        return x

    in_windows(network, torch.zeros(1, 10_000, 2), window=64, overlap=16, discard=4)
    assert max(seen) == 64


@given(st.integers(1, 2000), st.sampled_from([(64, 16), (32, 8), (512, 64)]), st.integers(1, 8))
def test_fitted_windows_are_a_quarter_wider_at_most_and_fewer(
    length: int, sizes: tuple[int, int], multiple: int
) -> None:
    window, overlap = sizes
    fitted = fitted_window(length, window, overlap, multiple)
    assert window <= fitted < window * 5 / 4 + multiple
    few, many = (len(window_starts(length, width, overlap)) for width in (fitted, window))
    assert few <= many
    if length > fitted:  # nor more work, but by what is rounded up
        assert few * (fitted - multiple) <= many * window


def test_a_clip_a_little_longer_than_a_window_takes_one() -> None:
    assert fitted_window(272, 256, 64, 8) == 272
    assert fitted_window(134, 64, 16, 2) == 76
    assert fitted_window(64, 64, 16) == fitted_window(20, 64, 16) == 64


def test_windows_in_a_batch_answer_as_one_by_one() -> None:
    x = torch.randn(2, 100, 3)
    rows: list[int] = []

    def network(part: torch.Tensor) -> torch.Tensor:
        rows.append(len(part))
        return part * 2.0 + part.mean(1, keepdim=True)

    one_by_one = in_windows(network, x, 32, 8, 0)
    assert set(rows) == {2}
    rows.clear()
    heard: list[float] = []
    together = in_windows(network, x, 32, 8, 0, on_window=heard.append, at_once=3)
    assert rows == [6, 2]
    assert heard == [0.75, 1.0]
    assert torch.allclose(together, one_by_one, atol=1e-6)
