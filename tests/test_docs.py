"""The docs name what the code has: every parameter, edit and file they speak of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.edits import EDITS, PARAMETERS

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def test_every_parameter_has_a_row_in_the_engine_page() -> None:
    page = (ROOT / "docs/engine.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*)$", page, re.MULTILINE))
    assert set(rows) == set(PARAMETERS)


@pytest.mark.parametrize("edit", EDITS.values(), ids=list(EDITS))
def test_a_parameters_row_names_the_edits_that_take_it(edit: type) -> None:
    page = (ROOT / "docs/engine.md").read_text()
    for parameter in edit.parameters():
        row = re.search(rf"^\| `{parameter.name}` \|.*$", page, re.MULTILINE)
        assert row is not None
        assert "| all |" in row[0] or edit.name in row[0], row[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} points to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_named_in_a_page_are_there(page: Path) -> None:
    named = re.findall(
        r"`((?:engine|server|daw_bridge|tests|benchmarks|docs)/[\w./-]+)`", page.read_text()
    )
    for name in named:
        assert (ROOT / name).exists(), f"{page.name} speaks of {name}"
