"""Imports run one way (CONTRIBUTING.md): read from the source, so that no import can hide."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("engine", "server", "presets", "daw_bridge")
#: Which of our packages each may import.
ALLOWED = {
    "daw_bridge": {"daw_bridge"},
    "presets": {"presets", "engine"},
    "engine": {"engine"},
    "server": {"server", "presets", "engine", "daw_bridge"},  # its commands talk to a server too
}
HEAVY = {"torch", "diffusers", "transformers"}

# The engine's layers, lowest first; a file imports only from its own layer's helpers and below.
VOCABULARY = {
    "automation",
    "durable",
    "errors",
    "units",
    "edits",
    "mel_scale",
    "samples",
    "sources",
    "region",
    "progress",
}
FOUNDATION = {
    "adapter",
    "attention",
    "cache",
    "compiling",
    "weights",
    "depths",
    "device",
    "harmonics",
    "hifigan",
    "kernels",
    "laion_file",
    "lean",
    "mel",
    "packed",
    "quick_imports",
    "windows",
}
STAGES = {
    "checkpoint",
    "clap",
    "laion",
    "latents",
    "vocoder",
    "voices",
    "guess",
    "masks",
    "schedule",
    "denoise",
    "exploring",
    "inversion",
    "timeline",
}
HOST_DOOR = {
    "air",
    "edges",
    "fades",
    "filters",
    "highs",
    "holes",
    "hybrid",
    "levels",
    "loudness",
    "model_input",
    "onsets",
    "own_sound",
    "painted",
    "peaks",
    "render",
    "resample",
    "spans",
    "stft",
    "touch",
}
ASSEMBLY = {"networks", "takes", "ranking", "flows", "engine", "__init__"}
#: Crossings among stages: a loop steps a solver, the loader fills a vocoder, two CLAPs are alike.
STAGE_LINKS = {
    ("denoise", "schedule"),
    ("laion", "clap"),
    ("exploring", "denoise"),
    ("guess", "masks"),
    ("inversion", "denoise"),
    ("inversion", "schedule"),
    ("timeline", "denoise"),
    ("checkpoint", "vocoder"),
    ("voices", "vocoder"),
}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Every module a file imports anywhere, type-checking blocks aside."""
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # Inside Live the script is a package of its own.
            assert node.level == 0 or "ableton" in path.parts, f"{path}: relative import"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def engine_modules(path: Path) -> set[str]:
    """The engine files a file imports."""
    named = {name.split(".")[1] for name in imports(path) if name.startswith("engine.")}
    return {name for name in named if (ROOT / "engine" / f"{name}.py").is_file()}


@pytest.mark.parametrize("package", OURS)
def test_packages_import_one_way(package: str) -> None:
    for path in sources(package):
        ours = {name.split(".")[0] for name in imports(path)} & set(OURS)
        assert ours <= ALLOWED[package], f"{path.relative_to(ROOT)} imports {sorted(ours)}"


def test_every_engine_file_has_a_layer() -> None:
    files = {path.stem for path in (ROOT / "engine").glob("*.py")}
    layers = [VOCABULARY, FOUNDATION, STAGES, HOST_DOOR, ASSEMBLY]
    stray = files.symmetric_difference(set().union(*layers))
    assert not stray, f"put into, or take out of, a layer above: {sorted(stray)}"
    assert sum(map(len, layers)) == len(files)


def test_vocabulary_and_host_door_know_no_torch() -> None:
    for name in VOCABULARY | HOST_DOOR:
        heavy = {module.split(".")[0] for module in imports(ROOT / "engine" / f"{name}.py")} & HEAVY
        assert not heavy, f"engine/{name}.py imports {sorted(heavy)}"


@pytest.mark.parametrize(
    ("layer", "below"),
    [
        (VOCABULARY, VOCABULARY),
        (FOUNDATION, VOCABULARY | FOUNDATION),
        (STAGES, VOCABULARY | FOUNDATION),
        (HOST_DOOR, VOCABULARY | HOST_DOOR),
    ],
    ids=["vocabulary", "foundation", "stages", "host door"],
)
def test_layers_import_downwards(layer: set[str], below: set[str]) -> None:
    for name in sorted(layer):
        found = engine_modules(ROOT / "engine" / f"{name}.py")
        linked = {other for other in found if (name, other) in STAGE_LINKS}
        assert found - linked <= below, f"engine/{name}.py imports {sorted(found - linked - below)}"


@pytest.mark.parametrize("statement", ["import engine", "import daw_bridge", "import presets"])
def test_torch_waits_until_it_is_asked_for(statement: str) -> None:
    check = f"{statement}; import sys; print(sorted({HEAVY!r} & set(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_quick_imports_leave_out_what_no_edit_uses_and_nothing_else() -> None:
    check = """
import importlib.metadata, importlib.util, sys
from engine.quick_imports import NOT_NEEDED, import_networks
whole = importlib.metadata.packages_distributions
import_networks()
assert not {*NOT_NEEDED} & {name for name, module in sys.modules.items() if module}, "loaded"
assert not {*NOT_NEEDED} & set(sys.modules), "still hidden"
assert "diffusers.models.unets.unet_2d_condition" in sys.modules
assert importlib.metadata.packages_distributions is whole
from engine import Engine
Engine.load("pocket", device="cpu")
from diffusers.models.transformers import DiTTransformer2DModel, Transformer2DModel
from diffusers.models.unets import unet_2d_blocks
assert Transformer2DModel is unet_2d_blocks.Transformer2DModel
print("fine")
"""
    answer = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert answer.stdout.strip() == "fine", answer.stderr
