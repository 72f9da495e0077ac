"""After-chains: every effect at the ends of its ranges, what it does, plugins that misbehave."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pedalboard
import pytest
from preset_clips import DRAGONFLY
from signals import db, largest_jump, noise, tone

from engine.errors import Cancelled, FaultError, RequestError
from engine.region import write
from presets import plugins
from presets.chain import reference_gain, run_chain
from presets.effects import EFFECTS, PLUGIN
from presets.preset import Link

RATE = 48000


def run(chain: list[Link], samples: np.ndarray, rate: int = RATE) -> np.ndarray:
    return run_chain(chain, samples, rate, lambda fraction: None)


def link(effect: str, **settings: Any) -> Link:
    return Link(effect, settings)


def at_extreme(effect: str, end: str) -> Link:
    """An effect with every number at one end of its range."""
    settings = {
        s.name: s.choices[-(end == "high")] if s.kind == "choice" else getattr(s, end)
        for s in EFFECTS[effect].settings
        if s.kind != "file"
    }
    return Link(effect, settings)


SIMPLE = [name for name, effect in EFFECTS.items() if not effect.needs]
#: Short of its ends: three octaves take seconds at 192 kHz.
GENTLE = {"PitchShift": (link("PitchShift", semitones=-7), link("PitchShift", semitones=12))}


def test_every_effect_of_pedalboard_is_in_the_table() -> None:
    kinds = {
        name
        for name in dir(pedalboard)
        if isinstance(getattr(pedalboard, name), type)
        and issubclass(getattr(pedalboard, name), pedalboard.Plugin)
    }
    not_effects = {"Plugin", "PluginContainer", "Chain", "Mix", "Pedalboard", "IIRFilter"}
    plugin_kinds = {"ExternalPlugin", "VST3Plugin", "AudioUnitPlugin", "_klass"}
    assert kinds - not_effects - plugin_kinds <= set(EFFECTS)
    # What an older pedalboard hasn't may be missing from it, and from nothing else.
    assert set(EFFECTS) - kinds <= {"BrickwallLimiter", "GSMFullRateCompressor", "Phaser"}


@pytest.mark.parametrize("name", SIMPLE)
def test_every_setting_is_pedalboards(name: str) -> None:
    if hasattr(pedalboard, name):
        plugin = getattr(pedalboard, name)()
        assert all(hasattr(plugin, setting.name) for setting in EFFECTS[name].settings)


@pytest.mark.parametrize("name", SIMPLE)
@pytest.mark.parametrize("end", ["low", "high"])
def test_any_setting_gives_as_many_sound_frames(name: str, end: str) -> None:
    chosen = GENTLE[name][end == "high"] if name in GENTLE else at_extreme(name, end)
    for rate, n_frames in ((8000, 1), (12345, 777), (44100, 2), (192000, 20000)):
        samples = noise(n_frames, 2)
        made = run([chosen], samples, rate)
        assert made.shape == samples.shape
        assert made.dtype == np.float32
        assert np.isfinite(made).all()


@pytest.mark.parametrize("name", SIMPLE)
def test_channels_are_on_their_own(name: str) -> None:
    samples = noise(6000, 3)
    samples[:, 2] = 0.0
    made = run([link(name)], samples)
    assert np.array_equal(run([link(name)], samples[:, ::-1]), made[:, ::-1])
    assert not made[:, 2].any()
    same = run([link(name)], np.repeat(samples[:, :1], 8, axis=1))
    assert (same == same[:, :1]).all()
    assert np.array_equal(run([link(name)], samples), made)


@pytest.mark.parametrize("name", sorted(set(SIMPLE) - {"PitchShift"}))
def test_nothing_is_delayed(name: str) -> None:
    """The first arrival of a burst stays within a millisecond."""
    samples = np.zeros((RATE // 4, 1), np.float32)
    samples[RATE // 8 : RATE // 8 + 480] = noise(480, 1, 0.3)
    made = np.abs(run([link(name)], samples))[:, 0]
    lead = RATE // 1000 * 12  # MP3 smears a little ahead of it, 30 dB down
    assert np.argmax(made > 0.1 * made.max()) == pytest.approx(RATE // 8, abs=RATE // 1000)
    assert made[: RATE // 8 - lead].max() < 0.003


def test_pitch_is_shifted() -> None:
    samples = tone(RATE, RATE, 440.0)[:, np.newaxis]
    made = run([link("PitchShift", semitones=12)], samples)[:, 0]
    # The grains of the shifter put sidebands around the pitch.
    assert np.argmax(np.abs(np.fft.rfft(made))) == pytest.approx(880, rel=0.02)


@pytest.mark.parametrize("rate", [8000, 44100, 96000])
@pytest.mark.parametrize(
    "chosen",
    [
        link("PitchShift", semitones=-5),
        link("PitchShift", semitones=7),
        link("Chorus", rate_hz=0.56, depth=0.15, centre_delay_ms=8, feedback=0, mix=1.0),
    ],
    ids=["down", "up", "wow"],
)
def test_a_lag_is_made_up_for(chosen: Link, rate: int) -> None:
    """Bursts stay within a millisecond, by the correlation of the envelopes."""
    since_s = np.mod(np.arange(3 * rate) / rate + 0.1, 0.31)
    bursts = (noise(3 * rate)[:, 0] * np.exp(-since_s / 0.02)).astype(np.float32)
    made = run([chosen], bursts[:, np.newaxis], rate)[:, 0]
    step = rate // 4000
    n_pieces = len(bursts) // step
    before, after = (
        np.sqrt(np.square(w[: n_pieces * step]).reshape(-1, step).mean(axis=1))
        for w in (bursts, made)
    )
    lags = range(-80, 81)
    alike = [float(np.roll(before - before.mean(), lag) @ after) for lag in lags]
    within_s = 0.002 if chosen.effect == "Chorus" else 0.00126  # the copy wavers by as much
    assert abs(lags[int(np.argmax(alike))]) * step / rate <= within_s


def test_a_low_pass_and_a_gain_do_what_they_say() -> None:
    high, low = (tone(RATE, RATE, hz)[:, np.newaxis] for hz in (8000.0, 100.0))
    chosen = [link("LadderFilter", mode="LPF24", cutoff_hz=500)]
    loss = [db(run(chosen, wave).std() / wave.std()) for wave in (high, low)]
    assert loss[0] < -60
    assert loss[1] == pytest.approx(0, abs=1.5)
    made = run([link("Gain", gain_db=-6)], low)
    assert db(made.std() / low.std()) == pytest.approx(-6, abs=0.01)


def test_frequencies_above_everything_do_no_harm() -> None:
    samples = noise(4000)
    for name in ("LowpassFilter", "HighShelfFilter", "PeakFilter"):
        made = run([link(name, cutoff_frequency_hz=30000)], samples, 8000)
        assert db(np.abs(made - samples).max()) < -100
    made = run([link("LadderFilter", mode="LPF12", cutoff_hz=12000)], samples, 8000)
    assert db(np.abs(made - samples).max()) < -100
    for name in ("HighpassFilter", "LowShelfFilter"):
        assert np.isfinite(run([link(name, cutoff_frequency_hz=30000)], samples, 8000)).all()


@pytest.mark.parametrize("gain", [1e-4, 1.0, 1e4])
def test_a_threshold_means_the_same_at_any_level(gain: float) -> None:
    samples = noise(8000, 2)
    chain = [link("Compressor", threshold_db=-30, ratio=10), link("Distortion", drive_db=20)]
    plain, scaled = run(chain, samples), run(chain, samples * np.float32(gain))
    assert np.abs(scaled / gain - plain).max() < 1e-4 * np.abs(plain).max()


def test_the_reference_level_knows_no_order_of_channels() -> None:
    samples = noise(5000, 5) * np.array([1, 0.1, 0, 3, 1e-3], np.float32)
    gains = {reference_gain(np.roll(samples, k, axis=1), RATE) for k in range(5)}
    assert len(gains) == 1
    assert reference_gain(np.zeros((10, 2), np.float32), RATE) == 1.0


def test_an_empty_chain_is_nothing() -> None:
    samples = noise(100, 2)
    assert run([], samples) is samples


def test_silence_stays_silence() -> None:
    silence = np.zeros((2000, 2), np.float32)
    assert not run([link(name) for name in SIMPLE], silence).any()


class TestConvolution:
    def test_an_impulse_response_is_convolved_with(self, tmp_path: Path) -> None:
        impulse = np.zeros((100, 1), np.float32)
        impulse[0], impulse[60] = 1.0, 0.5
        write(tmp_path / "ir.wav", impulse, RATE)
        samples = noise(3000)
        chosen = link("Convolution", impulse_response_filename=str(tmp_path / "ir.wav"))
        made = run([chosen], samples)[:, 0]
        want = samples[:, 0].copy()
        want[60:] += 0.5 * samples[:-60, 0]
        # pedalboard scales impulse responses to its own taste: the shape is what counts.
        scale = float(made @ want / (want @ want))
        assert np.abs(made - scale * want).max() < 1e-3 * np.abs(made).max()

    @pytest.mark.parametrize(
        ("content", "code"), [(None, "no-such-file"), (b"no sound", "unreadable-audio")]
    )
    def test_one_that_cannot_be_read(
        self, tmp_path: Path, content: bytes | None, code: str
    ) -> None:
        path = tmp_path / "ir.wav"
        if content:
            path.write_bytes(content)
        with pytest.raises(RequestError) as caught:
            run([link("Convolution", impulse_response_filename=str(path))], noise(10))
        assert caught.value.code == code


def test_progress_is_told_and_a_cancel_heard() -> None:
    told: list[float] = []
    run_chain([link("Invert"), link("Reverb")], noise(100, 4), RATE, told.append)
    assert told == sorted(told)
    assert len(told) == 8

    def stop(fraction: float) -> None:
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        run_chain([link("Invert"), link("Reverb")], noise(100, 4), RATE, stop)


def test_an_effect_this_pedalboard_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(pedalboard, "Chorus")
    with pytest.raises(RequestError, match="has no Chorus; there are: Bitcrush"):
        run([link("Chorus")], noise(10))


#: Stands where a plugin's process would: an order by the file's name.
CHILD = """
import json, os, sys, time
import numpy as np
request = json.loads(sys.stdin.buffer.readline())
name = os.path.basename(request["plugin"])
if name == "crash.vst3":
    os.kill(os.getpid(), 11)
if name == "exit.vst3":
    os._exit(3)
if name == "hang.vst3":
    time.sleep(600)
sys.stdout.buffer.write(b"{}\\n")
if name == "many.vst3":
    settings = {f"setting_{k}": "0.5 (0 to 1), as a long line says" for k in range(5000)}
    sys.stdout.buffer.write(json.dumps(settings).encode())
    sys.exit()
waves = np.load(sys.stdin.buffer)
if name == "shorter.vst3":
    waves = waves[:, 1:]
if name == "nan.vst3":
    waves = waves * np.float32("nan")
np.save(sys.stdout.buffer, -waves)
"""


class TestPluginProcess:
    """What becomes of a plugin that crashes, hangs or answers nonsense."""

    @pytest.fixture(autouse=True)
    def _child(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        child = tmp_path / "child.py"
        child.write_text(CHILD)
        monkeypatch.setattr(plugins, "CHILD", child)

    def _plugin(self, tmp_path: Path, name: str) -> Link:
        (tmp_path / name).mkdir()
        return link(PLUGIN, plugin=str(tmp_path / name))

    def test_one_that_works(self, tmp_path: Path) -> None:
        samples = noise(500, 3)
        chain = [link("Invert"), self._plugin(tmp_path, "fine.vst3")]
        assert np.allclose(run(chain, samples), samples, rtol=1e-5)

    @pytest.mark.skipif(sys.platform == "win32", reason="no signals there")
    def test_one_that_crashes(self, tmp_path: Path) -> None:
        with pytest.raises(FaultError, match=r"plugin crash\.vst3 crashed \(SIGSEGV\)") as caught:
            run([self._plugin(tmp_path, "crash.vst3")], noise(10))
        assert caught.value.code == "internal"

    def test_one_that_ends_by_itself(self, tmp_path: Path) -> None:
        with pytest.raises(FaultError, match=r"exit\.vst3 crashed \(exit status 3\)"):
            run([self._plugin(tmp_path, "exit.vst3")], noise(10))

    def test_one_with_more_settings_than_a_pipe_holds(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(plugins, "LOAD_LIMIT_S", 20.0)
        assert len(plugins.plugin_settings(self._plugin(tmp_path, "many.vst3"))) == 5000

    def test_it_leaves_no_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "temporary").mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
        seen: list[str] = []

        def look(fraction: float) -> None:
            seen.extend(os.listdir(tmp_path / "temporary"))

        run_chain([self._plugin(tmp_path, "fine.vst3")], noise(500), RATE, look)
        assert not [*seen, *os.listdir(tmp_path / "temporary")]

    def test_one_that_hangs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(plugins, "LOAD_LIMIT_S", 0.5)
        with pytest.raises(FaultError, match=r"hang\.vst3 gave no answer"):
            run([self._plugin(tmp_path, "hang.vst3")], noise(10))

    def test_one_that_is_cancelled(self, tmp_path: Path) -> None:
        def stop(fraction: float) -> None:
            raise Cancelled

        with pytest.raises(Cancelled):
            run_chain([self._plugin(tmp_path, "hang.vst3")], noise(10), RATE, stop)

    def test_one_that_gives_another_length(self, tmp_path: Path) -> None:
        with pytest.raises(FaultError, match="gave"):
            run([self._plugin(tmp_path, "shorter.vst3")], noise(10))

    def test_one_that_gives_no_sound(self, tmp_path: Path) -> None:
        with pytest.raises(FaultError, match="no sound"):
            run([self._plugin(tmp_path, "nan.vst3")], noise(10))


#: The real child with a plugin that hangs, and what asks it; both say who they are.
HANGING_CHILD = """
import os, sys, time
sys.path.insert(0, {presets!r})
import plugin_child
def load(request):
    with open({told!r}, "w") as file:
        print(os.getpid(), file=file, flush=True)
    time.sleep(600)
plugin_child.load = load
plugin_child.main()
"""
ASKING = """
import sys
from pathlib import Path
import numpy as np
from presets import plugins
from presets.preset import Link
plugins.CHILD = Path(sys.argv[1])
plugins.run_plugin(Link("plugin", {"plugin": "/"}), np.ones((9, 1), "f4"), 48000, lambda f: None)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_a_plugin_ends_with_the_worker_that_asked_it(tmp_path: Path) -> None:
    child, told = tmp_path / "child.py", tmp_path / "told"
    presets = str(Path(plugins.__file__).parent)
    child.write_text(HANGING_CHILD.format(presets=presets, told=str(told)))
    asking = subprocess.Popen([sys.executable, "-c", ASKING, str(child)])
    assert _in_time(lambda: told.exists() and told.read_text().endswith("\n"), 60.0)
    assert _is_running(int(told.read_text()))
    asking.kill()
    asking.wait()
    assert _in_time(lambda: not _is_running(int(told.read_text())), 10.0)


def _in_time(is_so: Callable[[], bool], within_s: float) -> bool:
    ends_s = time.monotonic() + within_s
    while not is_so() and time.monotonic() < ends_s:
        time.sleep(0.05)
    return is_so()


def _is_running(pid: int) -> bool:
    """Whether there is such a process, and it isn't only waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class TestPluginFiles:
    """The real child process, with what is no plugin."""

    def test_one_that_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(RequestError, match="does not exist; install it first") as caught:
            run([link(PLUGIN, plugin=str(tmp_path / "gone.vst3"))], noise(10))
        assert caught.value.code == "no-such-file"

    def test_one_that_is_none(self, tmp_path: Path) -> None:
        inside = tmp_path / "bad.vst3" / "Contents" / "x86_64-linux"
        inside.mkdir(parents=True)
        (inside / "bad.so").write_text("no machine code")
        with pytest.raises(RequestError, match=r"bad\.vst3 can't be used: .*scan") as caught:
            run([link(PLUGIN, plugin=str(tmp_path / "bad.vst3"))], noise(10))
        assert caught.value.code == "bad-value"


@pytest.mark.skipif(DRAGONFLY is None, reason="dragonfly-reverb-vst3 is not installed")
class TestDragonfly:
    """A stereo reverb as Debian ships it."""

    @pytest.fixture
    def hall(self) -> Link:
        settings = {"size_m": 40.0, "dry_level": 60.0, "late_level": 60.0, "early_level": 20.0}
        return link(PLUGIN, plugin=str(DRAGONFLY), settings=settings)

    def test_it_rings_after_a_click_and_delays_nothing(self, hall: Link) -> None:
        samples = np.zeros((RATE, 1), np.float32)
        samples[4800:4810] = 0.5
        made = run([hall], samples)
        assert not made[:4800].any()
        assert np.argmax(np.abs(made[:, 0])) == pytest.approx(4800, abs=RATE // 1000)
        assert made[RATE // 2 :].std() > 1e-4

    def test_every_channel_goes_by_itself(self, hall: Link) -> None:
        samples = noise(4800, 3)
        samples[:, 2] = 0.0
        made = run([hall], samples)
        assert np.array_equal(run([hall], samples[:, ::-1]), made[:, ::-1])
        assert not made[:, 2].any()
        assert largest_jump(made) > 0.0

    def test_two_and_two_where_it_is_asked_for(self, hall: Link) -> None:
        samples = np.zeros((4800, 2), np.float32)
        samples[:, 0] = noise(4800)[:, 0]
        assert not run([hall], samples)[:, 1].any()
        stereo = Link(PLUGIN, {**hall.settings, "stereo": True})
        assert run([stereo], samples)[:, 1].any()

    def test_settings_are_checked(self, hall: Link) -> None:
        for settings, words in (
            ({"sise_m": 3.0}, "has no setting 'sise_m'; it has: .*size_m"),
            ({"size_m": 1e6}, "doesn't take size_m = 1000000.0: .*out of range"),
        ):
            wrong = Link(PLUGIN, {**hall.settings, "settings": settings})
            with pytest.raises(RequestError, match=words) as caught:
                run([wrong], noise(10))
            assert caught.value.code == "bad-value"

    def test_its_settings_can_be_asked_for(self, hall: Link) -> None:
        assert plugins.plugin_settings(hall)["size_m"].startswith("40")
