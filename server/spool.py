"""The spool folder: how takes and uploads are named there, and the text of a status file."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from server.jobs import Job


def take_path(spool: Path, job: str, index: int) -> Path:
    """Where a job's take lies; index 1 is the best."""
    return spool / f"{job}.{index}.wav"


def take_paths(spool: Path, job: str) -> list[Path]:
    """The takes that lie there under a job's name, whoever made them."""
    prefix = f"{job}."
    return sorted(
        path
        for path in spool.glob(f"{prefix}*.wav")
        if path.name[len(prefix) : -len(".wav")].isdecimal()
    )


def upload_path(spool: Path, upload: str) -> Path:
    """Where audio lies that a client put."""
    return spool / "uploads" / f"{upload}.wav"


def status_path(spool: Path, job: str) -> Path:
    """The file that tells hosts without sockets how a job stands."""
    return spool / f"{job}.status"


def status_text(job: Job, progress: tuple[float, str, float] = (0.0, "", -1.0)) -> str:
    """A status file: `key=value` lines, values on one line each.

    `take=` may repeat: index, frames, rate, channels, seed, score and path, one space between them.
    """
    fraction, stage, seconds_left = progress
    lines = [("job", job.name), ("state", job.state.value)]
    lines += [
        ("fraction", f"{fraction:.4f}"),
        ("stage", stage),
        ("seconds_left", f"{seconds_left:.2f}"),
    ]
    for take in job.takes:
        score = "nan" if take.score is None else f"{take.score:.6f}"
        numbers = (take.index, take.frames, take.rate, take.channels, take.seed, score)
        lines.append(("take", " ".join((*map(str, numbers), take.path))))
    if job.code:
        lines += [("code", job.code), ("message", job.message)]
    return write_lines(lines)


def write_lines(lines: Iterable[tuple[str, str]]) -> str:
    """`key=value` lines; line ends inside a value become spaces."""
    return "".join(f"{key}={' '.join(value.splitlines())}\n" for key, value in lines)


def read_lines(text: str) -> list[tuple[str, str]]:
    """The pairs of `key=value` lines, in order; empty lines and # lines are passed over."""
    pairs = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            key, _, value = line.partition("=")
            pairs.append((key.strip(), value))
    return pairs


def replace_text(path: Path, text: str) -> None:
    """Put a text file in place whole; readers see the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
