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
INDEX = "https://torch.example/whl"


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


def test_another_index_serves_torch_only_and_replaces_what_is_there(
    bootstrap: ModuleType,
) -> None:
    """To pip alone, whatever torch is installed would satisfy the request."""
    bootstrap.install("demo", None, False)
    bootstrap.asked.clear()
    bootstrap.install("test", INDEX, False)
    assert bootstrap.asked == [
        ("install", "--force-reinstall", "torch", "--index-url", INDEX),
        ("install", "--editable", ".[dev]"),
    ]


def test_an_index_that_was_chosen_is_kept_to(bootstrap: ModuleType, tmp_path: Path) -> None:
    bootstrap.install("demo", INDEX, False)
    bootstrap.asked.clear()
    bootstrap.install("demo", None, False)
    assert bootstrap.asked == []
    bootstrap.install("test", None, False)
    assert bootstrap.asked[0] == ("install", "torch", "--index-url", INDEX)
    bootstrap.asked.clear()
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    bootstrap.install("test", None, False)
    assert bootstrap.asked[0] == ("install", "torch", "--index-url", INDEX)
    bootstrap.asked.clear()
    bootstrap.install("test", None, True)
    assert bootstrap.asked[0] == ("install", "--force-reinstall", "torch", "--index-url", INDEX)


@pytest.mark.parametrize(
    ("refused", "again"),
    [("torch", ["--force-reinstall"]), ("--editable", [])],
    ids=["torch", "the rest"],
)
def test_an_install_that_ended_early_is_gone_on_with(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, refused: str, again: list[str]
) -> None:
    bootstrap.install("test", None, False)
    with monkeypatch.context() as patched:
        patched.setattr(bootstrap, "pip", lambda *arguments: int(refused in arguments))
        with pytest.raises(SystemExit):
            bootstrap.install("test", INDEX, False)
    bootstrap.asked.clear()
    bootstrap.install("test", INDEX, False)
    assert bootstrap.asked[0] == ("install", *again, "torch", "--index-url", INDEX)


def test_an_index_that_had_no_torch_is_forgotten(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(bootstrap, "pip", lambda *arguments: 1)
        with pytest.raises(SystemExit, match=INDEX):
            bootstrap.install("test", INDEX, False)
    bootstrap.install("test", None, False)
    assert bootstrap.asked[0] == ("install", bootstrap.TORCH)


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
    bootstrap.install("demo", INDEX, False)
    assert bootstrap.asked
    bootstrap.asked.clear()
    bootstrap.install("demo", INDEX, True)
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
