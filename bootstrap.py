"""Two commands that need nothing but Python 3.11 or newer.

    python3 bootstrap.py demo    install into .venv and let Retake change a recorded clip
    python3 bootstrap.py test    install with what developers need, check and run every test

Standard library only. The install is skipped when nothing has changed since the last one.
"""

import argparse
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

# Before any line an older Python can't read.
MIN_PYTHON = (3, 11)
if sys.version_info < MIN_PYTHON:
    found, wanted = (".".join(map(str, v)) for v in (sys.version_info[:3], MIN_PYTHON))
    sys.exit(f"Retake needs Python {wanted} or newer; this is Python {found}.")

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "retake-install"
#: A build known to work, and without gigabytes of CUDA where the index has one.
TORCH = "torch==2.13.0"
EXTRAS = {"demo": "", "test": "[dev]"}
#: What `mypy --strict` checks.
TYPED = ("server", "daw_bridge", "presets")
#: … and every module of the engine that lives without these.
HEAVY = re.compile(r"^(import|from) (torch|diffusers|transformers)\b", re.MULTILINE)


def main() -> int:
    """Install where needed, then run the command; its exit status."""
    parser = argparse.ArgumentParser(
        prog="bootstrap.py", description="Install Retake into .venv, then run it."
    )
    parser.add_argument("command", choices=sorted(EXTRAS))
    parser.add_argument(
        "--torch-index",
        metavar="URL",
        help="package index to take torch from, for another build; later runs keep to it",
    )
    parser.add_argument("--force", action="store_true", help="install again though nothing changed")
    options, rest = parser.parse_known_args()
    os.chdir(ROOT)
    install(options.command, options.torch_index, options.force)
    return demo(rest) if options.command == "demo" else test(rest)


def venv_program(name: str) -> Path:
    """A program of the virtual environment."""
    windows = os.name == "nt"
    return VENV / ("Scripts" if windows else "bin") / (f"{name}.exe" if windows else name)


def install(command: str, torch_index: str | None, force: bool) -> None:
    """Make .venv what the command needs, unless it is that already."""
    extras = EXTRAS[command]
    known, had_extras, had_index = stamp()
    index = torch_index or had_index
    print_of_state = fingerprint(index)
    is_there = known == print_of_state and had_extras in (extras, EXTRAS["test"])
    if is_there and not force and venv_program("python").exists():
        return
    make_venv()
    write_stamp("", "", had_index)  # where this run ends early, the next one installs
    install_torch(index, is_anew=force or index != had_index)
    write_stamp("", "", index)
    print(f"bootstrap: installing Retake{extras} ...", flush=True)
    if pip("install", "--editable", f".{extras}"):
        sys.exit("bootstrap: Retake's dependencies could not be installed; pip's words are above.")
    write_stamp(print_of_state, extras, index)


def fingerprint(torch_index: str | None) -> str:
    """A hash of everything an install depends on."""
    parts = ((ROOT / "pyproject.toml").read_text(encoding="utf-8"), torch_index, sys.version, TORCH)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def stamp() -> tuple[str, str, str | None]:
    """Of the last install: its fingerprint (empty where it didn't end), extras, torch's index."""
    text = STAMP.read_text(encoding="utf-8") if STAMP.is_file() else ""
    known, extras, index = [*text.split("\n"), "", "", ""][:3]
    return known, extras, index or None


def write_stamp(print_of_state: str, extras: str, index: str | None) -> None:
    """Keep what `stamp` tells."""
    STAMP.write_text(f"{print_of_state}\n{extras}\n{index or ''}\n", encoding="utf-8")


def make_venv() -> None:
    """A virtual environment in .venv; one that doesn't start (moved, half made) is made anew."""
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            sys.exit(
                f"bootstrap: this Python comes without {module}; install it first "
                "(Debian, Ubuntu: apt install python3-venv)."
            )
    python = venv_program("python")
    works = python.exists() and subprocess.run([python, "-m", "pip", "-V"], capture_output=True)
    if works and works.returncode == 0:
        return
    print("bootstrap: making .venv ...", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    if subprocess.run([sys.executable, "-m", "venv", str(VENV)]).returncode:
        sys.exit("bootstrap: .venv could not be made; the words above say why.")


def install_torch(index: str | None, is_anew: bool) -> None:
    """Torch first and alone, so that nothing else chooses its build.

    Of another index it is installed anew: to pip, the build that is there would do.
    """
    print("bootstrap: installing torch (the largest part) ...", flush=True)
    if index:
        anew = ["--force-reinstall"] if is_anew else []
        if pip("install", *anew, "torch", "--index-url", index):
            sys.exit(f"bootstrap: torch could not be installed from {index}.")
        return
    if pip("install", TORCH):
        print(f"bootstrap: no {TORCH} for {platform.platform()}; taking the newest", flush=True)
        if pip("install", "torch"):
            sys.exit(
                "bootstrap: torch could not be installed; --torch-index URL names another index."
            )


def pip(*arguments: str) -> int:
    """Run pip in the virtual environment; its exit status."""
    command = [str(venv_program("python")), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    return subprocess.run([*command, *arguments], env=environment()).returncode


def environment() -> dict[str, str]:
    """This process's environment, without what would reach into the virtual one."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return {**kept, "PYTHONUTF8": "1"}


def run(*command: str | Path) -> int:
    """Run a command of the virtual environment; its exit status."""
    return subprocess.run([str(part) for part in command], env=environment()).returncode


def demo(arguments: list[str]) -> int:
    """Let the server change a recorded clip."""
    return run(venv_program("python"), "-m", "server.demo", *arguments)


def test(pytest_arguments: list[str]) -> int:
    """Style, types, then every test; pytest's summary is the last line."""
    mypy = (venv_program("python"), "-m", "mypy", "--strict", "--follow-imports=silent")
    statuses = [
        run(venv_program("python"), "-m", "ruff", "check", "."),
        run(*mypy, *typed_parts()),
        run(venv_program("python"), "-m", "pytest", "-q", *pytest_arguments),
    ]
    return next((status for status in statuses if status), 0)


def typed_parts() -> list[str | Path]:
    """Folders and files whose types are checked strictly."""
    folders = [name for name in TYPED if any((ROOT / name).rglob("*.py"))]
    light = [
        path.relative_to(ROOT)
        for path in sorted((ROOT / "engine").glob("*.py"))
        if not HEAVY.search(path.read_text(encoding="utf-8"))
    ]
    return [*folders, *light]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
