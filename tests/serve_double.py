"""A server in a process of its own whose worker is the double: `serve_double.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path


def main(folder: Path) -> None:
    """Serve until killed."""
    here = Path(__file__).parent
    sys.path.insert(0, str(here.parent))  # whether Retake is installed or not
    from server.serve import Settings, serve

    command = [sys.executable, str(here / "engine_double.py"), str(folder / "steps.log")]
    serve(Settings(folder, 0, 0, "double", command=command))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
