"""The two commands' own logic: what they refuse, and when they skip the install."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module in a folder of its own; pip only notes what it was told."""
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "bootstrap.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    asked: list[tuple[str, ...]] = []
    venv = tmp_path / ".venv"

    def pip(*arguments: str) -> int:
        asked.append(arguments)
        return int(arguments == ("install", "torch==0"))

    def make_venv() -> None:
        module.venv_program("python").parent.mkdir(parents=True, exist_ok=True)
        module.venv_program("python").touch()

    for name, value in {
        "ROOT": tmp_path,
        "VENV": venv,
        "STAMP": venv / "retake-install",
        "pip": pip,
        "make_venv": make_venv,
        "asked": asked,
    }.items():
        monkeypatch.setattr(module, name, value, raising=False)
    return module


def test_torch_comes_first_and_alone(bootstrap: ModuleType) -> None:
    bootstrap.install("demo", None, False)
    assert bootstrap.asked == [("install", bootstrap.TORCH), ("install", "--editable", ".")]


def test_another_index_serves_torch_only(bootstrap: ModuleType) -> None:
    bootstrap.install("test", "https://torch.example/whl", False)
    assert bootstrap.asked == [
        ("install", "torch", "--index-url", "https://torch.example/whl"),
        ("install", "--editable", ".[dev]"),
    ]


def test_a_platform_without_that_torch_gets_the_newest(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "TORCH", "torch==0")
    bootstrap.install("demo", None, False)
    assert bootstrap.asked[:2] == [("install", "torch==0"), ("install", "torch")]


@pytest.mark.parametrize(
    ("first", "then", "again"),
    [
        ("demo", "demo", False),
        ("test", "test", False),
        ("test", "demo", False),
        ("demo", "test", True),
    ],
)
def test_an_install_that_suffices_is_kept(
    bootstrap: ModuleType, first: str, then: str, again: bool
) -> None:
    bootstrap.install(first, None, False)
    bootstrap.asked.clear()
    bootstrap.install(then, None, False)
    assert bool(bootstrap.asked) == again


def test_what_changes_is_installed_again(bootstrap: ModuleType, tmp_path: Path) -> None:
    for change in (
        lambda: (tmp_path / "pyproject.toml").write_text("[project]\n"),
        lambda: bootstrap.STAMP.unlink(),
        lambda: bootstrap.venv_program("python").unlink(),
    ):
        bootstrap.install("demo", None, False)
        bootstrap.asked.clear()
        change()
        bootstrap.install("demo", None, False)
        assert bootstrap.asked
    bootstrap.asked.clear()
    bootstrap.install("demo", "https://torch.example/whl", False)
    assert bootstrap.asked
    bootstrap.asked.clear()
    bootstrap.install("demo", "https://torch.example/whl", True)
    assert bootstrap.asked


def test_a_python_without_venv_is_told_what_to_install() -> None:
    code = (
        "import importlib.util, runpy, sys\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: "
        "None if name == 'ensurepip' else found(name, *rest)\n"
        f"runpy.run_path({str(ROOT / 'bootstrap.py')!r})['make_venv']()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 1
    assert re.fullmatch(r"bootstrap: .*python3-venv.*\n", ended.stderr)


def test_it_needs_the_standard_library_only() -> None:
    names = re.findall(r"^(?:import|from) (\w+)", (ROOT / "bootstrap.py").read_text(), re.MULTILINE)
    assert set(names) <= sys.stdlib_module_names


def test_an_older_python_is_told_so() -> None:
    code = (
        "import runpy, sys\n"
        "sys.version_info = (3, 10, 2, 'final', 0)\n"
        f"runpy.run_path({str(ROOT / 'bootstrap.py')!r})"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr == "Retake needs Python 3.11 or newer; this is Python 3.10.2.\n"
