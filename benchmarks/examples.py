"""The five examples of the README, run as a reader would, and their pictures.

    python -m benchmarks.examples [--model pocket]

Takes go to a temporary folder; the pictures into docs/examples/.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from server.cli import main as retake

FOLDER = Path(__file__).parents[1] / "docs" / "examples"
EXAMPLES = {
    "transfer": "transfer coffee_shop.flac --start 1 --end 4 --splice --strength 0.7",
    "inpaint": "inpaint wolves.flac --hole 3.0:3.8",
    "bandwidth": "bandwidth geyser_4k.flac",
    "continue": "continue stream.flac --end 3.2 --seconds 2",
    "generate": "generate --seconds 4",
}
PROMPTS = {"transfer": "heavy rain falling", "generate": "a police siren"}


def command(name: str, folder: Path, model: str) -> list[str]:
    """The command line of an example."""
    words = [str(FOLDER / w) if w.endswith(".flac") else w for w in EXAMPLES[name].split()]
    prompt = ["--prompt", PROMPTS[name]] if name in PROMPTS else []
    picture = ["--plot", str(FOLDER / f"{name}.png"), "--force"]
    return [*words, *prompt, "-o", str(folder / f"{name}.wav"), *picture, "--model", model]


def main() -> int:
    """Run all five; the first failure's exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="pocket")
    model = parser.parse_args().model
    with tempfile.TemporaryDirectory() as folder:
        for name in EXAMPLES:
            status = retake(command(name, Path(folder), model))
            if status:
                return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
