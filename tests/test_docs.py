"""The docs name what the code has: every parameter, edit and file they speak of."""

from __future__ import annotations

import re
import tomllib
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


def test_every_dependency_is_in_the_readmes_table() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = {
        re.match(r"[\w-]+", line)[0]  # type: ignore[index]
        for line in (*project["dependencies"], *(line for extra in extras for line in extra))
    }
    table = (ROOT / "README.md").read_text().split("## What it stands on")[1].split("\n## ")[0]
    told = re.findall(r"[\w-]+", " ".join(re.findall(r"^\| ([^|(]+)", table, re.MULTILINE)))
    assert wanted <= set(told), wanted - set(told)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} points to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_into_a_page_lead_to_a_heading(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", page.read_text()):
        if not target.startswith(("http:", "https:")):
            text = (page.parent / target).read_text() if target else page.read_text()
            headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}
            assert anchor in slugs, f"{page.name} points to {target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_named_in_a_page_are_there(page: Path) -> None:
    named = re.findall(
        r"`((?:engine|server|daw_bridge|tests|benchmarks|docs)/[\w./-]+)`", page.read_text()
    )
    for name in named:
        assert (ROOT / name).exists(), f"{page.name} speaks of {name}"
