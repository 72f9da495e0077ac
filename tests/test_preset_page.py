"""docs/presets.md and its pictures are what the library and the figures make of it."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.gallery import MOST_BYTES, draw
from benchmarks.gallery_clips import shown
from benchmarks.gallery_page import FOLDER, PAGE, Figures, page
from presets import FAMILIES, Preset, Shelf
from presets.effects import EFFECTS
from presets.schema import KEYS

PRESETS = list(Shelf(Path("/nowhere")).presets())


def test_the_page_is_written_anew_where_something_changes() -> None:
    """`python -m benchmarks.gallery --page` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page(Figures.read())


def test_the_page_names_every_preset_key_and_effect() -> None:
    text = PAGE.read_text(encoding="utf-8")
    in_families = [p.name for family in FAMILIES for p in PRESETS if p.family == family]
    assert re.findall(r"^### (.+)$", text, re.MULTILINE) == in_families
    rows = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert rows == [*KEYS, *EFFECTS]


def test_every_preset_has_a_picture_and_figures_and_nothing_else_has() -> None:
    names = {preset.name for preset in PRESETS}
    assert {path.stem for path in FOLDER.glob("*.jpg")} == names
    assert set(json.loads((FOLDER / "figures.json").read_text())) == names
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= MOST_BYTES


def test_every_preset_is_shown_on_something_that_differs_from_its_take() -> None:
    for preset in PRESETS:
        of = shown(preset)
        figure = Figures.read().of[preset.name]
        assert figure["on"] == of.words, preset.name
        if of.region is None:
            assert figure["before_db"] is None
            continue
        is_longer = figure["seconds"][0] != figure["seconds"][1]
        changes = zip(figure["before_db"], figure["after_db"], strict=True)
        differs = max(abs(after - before) for before, after in changes) > 0.3
        assert differs or is_longer or preset.edit in IN_PLACE, preset.name


#: Edits whose takes may be as loud as their source in every band, and new all the same.
IN_PLACE = ("inpaint", "loop", "vary")


@pytest.mark.parametrize(
    "preset", [p for p in PRESETS if p.edit in IN_PLACE], ids=lambda preset: preset.name
)
def test_a_picture_shows_a_difference(preset: Preset) -> None:
    """More of one than a picture of the source beside itself, which differs by what JPEG loses."""
    of = shown(preset)
    assert of.region is not None
    same = most_difference(io.BytesIO(draw(preset, of, of.region)))
    assert most_difference(FOLDER / f"{preset.name}.jpg") > 1.5 * same


def most_difference(picture: Path | io.BytesIO) -> float:
    """Mean difference of brightness, 0 to 255, in the column where two spectrograms differ most."""
    bright = np.asarray(Image.open(picture).convert("L"), np.float64)[25:130]
    edges = np.flatnonzero(np.diff(bright.mean(axis=0) < 235)) + 1
    starts, stops = edges[:-1], edges[1:]
    first, second = sorted(np.argsort(stops - starts)[-2:])
    width = min(stops[first] - starts[first], stops[second] - starts[second]) - 4
    pair = [bright[:, starts[i] + 2 :][:, :width] for i in (first, second)]
    return float(np.abs(pair[0] - pair[1]).mean(axis=0).max())
