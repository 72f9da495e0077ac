"""The process a plugin runs in: if it crashes, it takes nothing else with it.

Started by presets/plugins.py, by its path: it imports nothing of ours. Its stdin and stdout are
files. In, one line of JSON: `plugin` (path), `plugin_name`, `stereo`, `settings`, `parent` (the
asking process), and `rate` where a .npy array follows (float32, (n_channels, n_frames)). Out, one
line: `{}` or `error`; then the processed array, or, where none was given, the plugin's settings
(name to a line about it) in JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pedalboard

Waves = npt.NDArray[np.float32]
PR_SET_PDEATHSIG = 1


def main() -> None:
    """Answer the one request on stdin."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # plugins print; that must not fall into the answer
    question = sys.stdin.buffer
    request = json.loads(question.readline())
    _end_with(request["parent"])
    try:
        respond(request, question, answer)
    except Exception as error:
        answer.seek(0)
        answer.truncate()
        _say(answer, {"error": " ".join(str(error).split())[:500]})
    answer.flush()
    os._exit(0)  # plugins crash when they are torn down, too; the work is done


def _end_with(parent: int) -> None:
    """On Linux, be killed when the asking process is: nobody would hear the answer."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it has died already
            os._exit(1)


def respond(request: dict[str, Any], question: IO[bytes], answer: IO[bytes]) -> None:
    """Load the plugin and write what was asked for; raises what it raises."""
    plugin = load(request)
    _say(answer, {})
    if "rate" in request:
        waves = np.load(question, allow_pickle=False)
        np.save(answer, process(plugin, waves, request["rate"], bool(request.get("stereo"))))
    else:
        _say(answer, settings_of(plugin))


def _say(answer: IO[bytes], what: dict[str, Any]) -> None:
    answer.write(json.dumps(what).encode() + b"\n")


def load(request: dict[str, Any]) -> Any:
    """The plugin with its settings; ValueError where it won't take one."""
    library: Any = pedalboard  # its type stubs don't tell of what follows
    name = request.get("plugin_name") or None
    plugin = library.load_plugin(request["plugin"], plugin_name=name)
    if not plugin.is_effect:
        raise ValueError(f"{plugin.name} is an instrument and not an effect")
    for setting, value in request.get("settings", {}).items():
        if setting not in plugin.parameters:
            known = ", ".join(plugin.parameters)
            raise ValueError(f"{plugin.name} has no setting {setting!r}; it has: {known}")
        try:
            setattr(plugin, setting, value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{plugin.name} doesn't take {setting} = {value!r}: {error}") from None
    return plugin


def settings_of(plugin: Any) -> dict[str, str]:
    """Each setting's value and range, as a line."""
    told = {}
    for name, setting in plugin.parameters.items():
        low, high, _ = setting.range
        span = f" ({low:g} to {high:g})" if isinstance(low, float) else ""
        told[name] = f"{setting.string_value}{span}"
    return told


def process(plugin: Any, waves: Waves, rate: int, is_stereo: bool) -> Waves:
    """Every channel on its own, or two and two; what is silent stays so."""
    made = np.zeros_like(waves)
    pairs = 2 if is_stereo and len(waves) > 1 else 1
    for first in range(0, len(waves), pairs):
        part = waves[first : first + pairs]
        if part.any():
            made[first : first + len(part)] = _fitted(plugin, part, rate)
    return made


def _fitted(plugin: Any, part: Waves, rate: int) -> Waves:
    """A part through the plugin, doubled where it takes only two channels, or one by one."""
    try:
        made: Waves = plugin.process(np.ascontiguousarray(part), rate)
    except ValueError:
        if len(part) == 2:
            return np.concatenate([_fitted(plugin, wave[np.newaxis], rate) for wave in part])
        made = plugin.process(np.repeat(part, 2, axis=0), rate)[:1]
    return made[:, : part.shape[1]]


if __name__ == "__main__":
    main()
