"""A fake Live with Retake installed, a server beside it and a control surface in hand."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from fake_live import FakeLive, modules_of_live
from fake_live_objects import Clip, Slot, Track

from daw_bridge.install import Kit, install
from daw_bridge.wire import pack
from server import osc

RATE = 44100


def sound(path: Path, length_s: float = 4.0, rate: int = RATE) -> Path:
    """Two channels that are different at each moment."""
    time_s = np.arange(round(length_s * rate)) / rate
    left = 0.4 * np.sin(2 * np.pi * (200 + 150 * time_s) * time_s)
    soundfile.write(path, np.stack((left, 0.5 * np.roll(left, 100)), 1), rate, subtype="FLOAT")
    return path


class Surface:
    """A control surface: what it sends goes to the script, what it hears is kept."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self._to = ("127.0.0.1", port)
        self.port = self._socket.getsockname()[1]
        self._heard: list[tuple[str, tuple[Any, ...]]] = []

    def send(self, word: str, *values: Any) -> None:
        self._socket.sendto(pack(f"/retake/live/{word}", *values), self._to)

    def send_raw(self, packet: bytes) -> None:
        self._socket.sendto(packet, self._to)

    def heard(self, word: str) -> list[tuple[Any, ...]]:
        """What was said under an address so far."""
        while True:
            try:
                for message in osc.decode(self._socket.recv(65507)):
                    self._heard.append((message.address, message.args))
            except BlockingIOError:
                return [args for name, args in self._heard if name == f"/retake/live/{word}"]

    def close(self) -> None:
        self._socket.close()


class Studio:
    """Live, the surface, and the state folder of a server that may run."""

    def __init__(self, folder: Path, state: Path, version: tuple[int, int, int]) -> None:
        self.folder, self.state = folder, state
        scripts = folder / "Remote Scripts"
        install("ableton", Kit("retake serve", str(state)), scripts / "Retake")
        self.live = FakeLive(folder, version)
        self.live.choose_script(scripts)
        self.live.tick()
        conf = dict(line.split("=") for line in (state / "live.conf").read_text().splitlines())
        self.surface = Surface(int(conf["port"]))

    @property
    def track(self) -> Track:
        return self.live.model.tracks[0]

    def session_clip(self, slot: int = 0, length_s: float = 4.0, **values: Any) -> Clip:
        """A clip in a slot of the first track, shown in the clip view."""
        return self._shown(self._clip(self.track.clip_slots[slot], length_s, None), values)

    def arrangement_clip(self, start: float = 0.0, length_s: float = 4.0, **values: Any) -> Clip:
        """A clip in the first track's arrangement, shown in the clip view."""
        return self._shown(self._clip(self.track, length_s, start), values)

    def _clip(self, parent: Slot | Track, length_s: float, start: float | None) -> Clip:
        number = len(list(self.folder.glob("sample *.wav")))
        path = sound(self.folder / f"sample {number}.wav", length_s)
        clip = Clip(self.live.model, parent, str(path), start)
        if isinstance(parent, Slot):
            parent.put(clip=clip)
        else:
            parent.put(arrangement_clips=[*parent.arrangement_clips, clip])
        return clip

    def _shown(self, clip: Clip, values: dict[str, Any]) -> Clip:
        clip.put(**values)
        self.live.model.view.put(detail_clip=clip)
        return clip

    def go(self, text: str = "rain", **settings: Any) -> None:
        """Set everything and go, once the server is known."""
        for key, value in settings.items():
            self.surface.send("set", key, value)
        self.surface.send("go", text)

    def wait_for(self, word: str, n: int = 1) -> tuple[Any, ...]:
        """Until something was said so often; gives the latest."""
        self.live.run_until(lambda: len(self.surface.heard(word)) >= n)
        return self.surface.heard(word)[-1]

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        self.live.run_until(is_so)

    def error(self) -> str:
        """What the surface is told that can't be done."""
        return str(self.wait_for("error")[0])


@contextmanager
def studio(
    folder: Path, state: Path, version: tuple[int, int, int] = (12, 2, 0)
) -> Iterator[Studio]:
    state.mkdir(exist_ok=True, parents=True)
    with modules_of_live():
        made = Studio(folder, state, version)
        try:
            yield made
            made.live.quit()
        finally:
            if not made.live.script.is_disconnected:
                made.live.script.disconnect()
            made.surface.close()
    assert not (state / "live.conf").exists()


def upside_down(clip: Clip, original: Path | str, start_s: float, length_s: float) -> None:
    """The double's take: the very stretch of the original, upside down."""
    take, rate = soundfile.read(clip.file_path, always_2d=True)
    whole, whole_rate = soundfile.read(original, always_2d=True)
    assert rate == whole_rate
    start, end = round(start_s * rate), round((start_s + length_s) * rate)
    np.testing.assert_array_equal(take, -whole[start:end])
