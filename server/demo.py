"""`python bootstrap.py demo`: a server, a bridge client, a recorded clip and a text, end to end.

Everything goes the way a DAW's would: server.conf is found, the region is asked for over OSC, takes
come back as files. The server has a state folder of its own: one that runs already is left alone.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from daw_bridge.client import Client, TakeFile
from daw_bridge.wire import ServerError
from engine.edits import Transfer
from engine.errors import FaultError, RetakeError
from engine.region import Region, read, write
from engine.samples import Samples
from server.editing import progress_bar, spliced
from server.executor_process import worker_environment

CLIP = Path(__file__).parents[1] / "docs" / "demo" / "footsteps.flac"
CREDIT = "by Kenney, CC0"
START_S, LENGTH_S = 1.2, 2.5
EDIT = Transfer(prompt="heavy rain", strength=0.7, takes=2, seed=1)
STARTING_S = 60.0


def main(argv: list[str] | None = None) -> int:
    """Run the demo in the current folder; exit status."""
    parser = argparse.ArgumentParser(prog="bootstrap.py demo")
    parser.add_argument("--model", default="pocket", help="a checkpoint's name or folder (pocket)")
    options = parser.parse_args(argv)
    try:
        demo(Path("demo-out"), options.model)
    except (RetakeError, ServerError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


def demo(parent: Path, model: str) -> None:
    """Edit the clip through a server, write takes and a picture, say so in five lines."""
    clip = read(CLIP, context_s=0.0)
    start_frames, frames = round(START_S * clip.rate), round(LENGTH_S * clip.rate)
    folder = new_folder(parent)
    with (
        running_server(folder / "server.log", model) as state,
        Client.connect(state, name="demo") as client,
    ):
        began_s = time.monotonic()
        takes = ask(client, start_frames, frames)
        seconds = time.monotonic() - began_s
        where = client.hello()
        results = [keep(folder, clip, start_frames, take) for take in takes]
    picture = folder / "before-after.png"
    draw(picture, clip, results[0], start_frames, frames)
    outside, inside = compare(clip.samples, results[0], start_frames, frames)
    span = f"{START_S:g}–{START_S + LENGTH_S:g} s"
    print(f"clip     {CLIP.name} ({CREDIT}), {clip.length_s:.2f} s, {clip.rate} Hz")
    print(f"asked    {span} as “{EDIT.prompt}”, strength {EDIT.strength:g}, over OSC")
    print(f"got      {told(takes)} in {seconds:.1f} s from {where.model} on {where.device}")
    print(f"changed  {inside:.0%} of the frames inside the region, {outside} of those outside it")
    print(f"look at  {picture}; listen to {folder / take_name(takes[0])}")


def told(takes: list[TakeFile]) -> str:
    """The takes' names and scores."""
    scores = ["" if np.isnan(take.score) else f" (CLAP {take.score:.2f})" for take in takes]
    names = [take_name(take) for take in takes]
    return ", ".join(name + score for name, score in zip(names, scores, strict=True))


def take_name(take: TakeFile) -> str:
    """The file a take is written to; 1 is the best."""
    return f"take-{take.index}.wav"


def ask(client: Client, start_frames: int, frames: int) -> list[TakeFile]:
    """Send the region with its text, wait with a progress bar."""
    job = client.submit(
        edit=EDIT.name,
        path=str(CLIP),
        start=start_frames,
        frames=frames,
        prompt=EDIT.prompt,
        strength=EDIT.strength,
        takes=EDIT.takes,
        seed=EDIT.seed,
    )
    with progress_bar("demo") as listen:
        return client.wait(job, lambda fraction, stage, left_s: listen(fraction, stage))


def keep(folder: Path, clip: Region, start_frames: int, take: TakeFile) -> Samples:
    """Write the whole clip with the take where its region was."""
    new = read(take.path, context_s=0.0).samples
    result = spliced(clip, start_frames, take.frames, new)
    write(folder / take_name(take), result, clip.rate)
    return result


def draw(path: Path, clip: Region, result: Samples, start_frames: int, frames: int) -> None:
    """Before and after, the region marked."""
    from server.plot import Picture, plot

    title = f"{EDIT.name} · {CLIP.name} · “{EDIT.prompt}” · strength {EDIT.strength:g}"
    plot(Picture(clip.samples, result, clip.rate, start_frames, frames, frames, (), title), path)


def compare(source: Samples, result: Samples, start_frames: int, frames: int) -> tuple[int, float]:
    """Frames changed outside the region (none, it is promised), and the share changed inside."""
    changed = (source != result).any(axis=1)
    inside = changed[start_frames : start_frames + frames]
    return int(changed.sum() - inside.sum()), float(inside.mean())


def new_folder(parent: Path) -> Path:
    """The next numbered folder: what an earlier demo made stays."""
    parent.mkdir(exist_ok=True)
    number = 1
    while (parent / str(number)).exists():
        number += 1
    (parent / str(number)).mkdir()
    return parent / str(number)


@contextlib.contextmanager
def running_server(log: Path, model: str) -> Iterator[Path]:
    """A server process in a state folder of its own; stopped and cleared away at the end."""
    with (
        tempfile.TemporaryDirectory(prefix="retake-", ignore_cleanup_errors=True) as state,
        log.open("w") as file,
    ):
        process = start_server(Path(state), file, model)
        try:
            wait_for(process, Path(state) / "server.conf", log)
            yield Path(state)
        finally:
            stop(process)


def start_server(state: Path, log: IO[str], model: str) -> subprocess.Popen[bytes]:
    """`retake serve` on any free ports."""
    command = [sys.executable, "-P", "-m", "server.cli", "serve", "--state-dir", str(state)]
    command += ["--udp-port", "0", "--tcp-port", "0", "--model", model]
    return subprocess.Popen(command, stdout=log, stderr=log, env=worker_environment())


def wait_for(process: subprocess.Popen[bytes], conf: Path, log: Path) -> None:
    """Until the server says where it listens."""
    deadline = time.monotonic() + STARTING_S
    while not conf.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise FaultError("internal", f"the server didn't start; {log} says why")
        time.sleep(0.02)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the server with a signal it heeds, else by force."""
    process.terminate()  # SIGTERM; no other signal can be sent to a process on every system
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
