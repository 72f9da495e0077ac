"""The hosts' pages: short, usable as they stand, and honest about what was run."""

from __future__ import annotations

import re
from pathlib import Path

import desktop
import pytest

from daw_bridge.hosts import HOSTS

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs/hosts").glob("*.md"))
#: A command of ours in a line of code.
COMMAND = re.compile(r"(?:^|`)([^\s`]*retake) [a-z]", re.MULTILINE)
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def test_every_host_has_its_page() -> None:
    assert {page.stem for page in PAGES} == set(HOSTS)


@every_page
def test_page_is_short_and_honest(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert 0 < len(re.findall(r"^\d+\. ", text, re.MULTILINE)) < 10
    assert "was not run here**" in text or re.search(r"\*\*Run here:\*\*.*\bNot run:", text, re.S)


@every_page
def test_page_begins_with_the_install_and_its_commands_need_no_path(page: Path) -> None:
    """Bootstrap puts `retake` into .venv, and on nobody's PATH."""
    text = page.read_text(encoding="utf-8")
    first = re.search(r"^1\. (.*?)^2\. ", text, re.MULTILINE | re.DOTALL)
    assert first
    for words in (
        "`python3 bootstrap.py demo`",
        "`py bootstrap.py demo`",
        r"`.venv\Scripts\retake`",
    ):
        assert words in first[1]
    named = COMMAND.findall(text)
    assert len(named) > 1
    assert set(named) == {".venv/bin/retake"}


def test_every_row_of_reapers_actions_is_a_script() -> None:
    """The action list shows a script under its file's name."""
    page = (ROOT / "docs/hosts/reaper.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `Script: (Retake - .*\.lua)` \|", page, re.MULTILINE)
    scripts = {path.name for path in (ROOT / "daw_bridge/reaper").glob("*.lua")}
    assert set(rows) == scripts - {"Retake - set up.lua"}


def test_where_hosts_were_installed_none_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(desktop.NEEDED, raising=False)
    assert "no-such-host" in desktop.missing("no-such-host")
    monkeypatch.setenv(desktop.NEEDED, "1")
    with pytest.raises(RuntimeError, match="no-such-host"):
        desktop.missing("no-such-host")
