"""The plot of the ratios, and the guard that compares them with the committed ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: The table that `--check` compares with.
COMMITTED = Path(__file__).parents[1] / "speed.json"
#: Share of a ratio that may be lost before the guard speaks.
LOSS = 0.2


def ratios(figures: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every ratio in a table, with the way to it as its name."""
    if not isinstance(figures, dict):
        return
    for key, value in figures.items():
        if key == "ratios":
            for other, one in value.items():
                yield f"{name} vs {other}", float(one["ratio"])
        else:
            yield from ratios(value, f"{name} / {key}" if name else str(key))


def losses(found: dict[str, Any], committed: dict[str, Any]) -> list[str]:
    """A line for every ratio that fell by more than a fifth; what either lacks isn't compared."""
    before = dict(ratios(committed))
    lines = []
    for name, ratio in ratios(found):
        if name in before and ratio < (1 - LOSS) * before[name]:
            lines.append(f"{name}: {ratio:.2f}x, was {before[name]:.2f}x")
    return lines


def compared(found: dict[str, Any], committed: dict[str, Any]) -> int:
    """How many ratios both tables have."""
    return len(dict(ratios(found)).keys() & dict(ratios(committed)).keys())


def draw(figures: dict[str, Any], path: Path) -> None:
    """Bars of how many times faster each stage is than diffusers."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    tables = figures.get("stages", {})
    fig, axes = plt.subplots(len(tables), 1, figsize=(9, 3.2 * len(tables)), squeeze=False)
    for axis, (name, rows) in zip(axes[:, 0], tables.items(), strict=True):
        rows = {stage: row for stage, row in rows.items() if "low" in _any_ratio(row)}
        others = list(next(iter(rows.values()))["ratios"])
        for index, other in enumerate(others):
            found = [row["ratios"][other] for row in rows.values()]
            middle = [one["ratio"] for one in found]
            spread = [
                [one["ratio"] - one["low"] for one in found],
                [one["high"] - one["ratio"] for one in found],
            ]
            spread = [[max(0.0, x) for x in side] for side in spread]
            places = [place + 0.4 * index for place in range(len(rows))]
            axis.bar(places, middle, 0.38, yerr=spread, label=f"vs {other}", capsize=2)
        axis.axhline(1.0, color="0.5", linewidth=0.8)
        axis.set_xticks([place + 0.2 for place in range(len(rows))], list(rows))
        axis.set_ylabel("times faster")
        axis.set_title(f"{name}, 10.24 s")
        axis.legend(frameon=False)
    fig.tight_layout()
    fig.savefig(path, dpi=110)
    plt.close(fig)


def _any_ratio(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(iter(row["ratios"].values()), {})
    return found
