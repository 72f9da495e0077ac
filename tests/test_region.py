"""Reading and writing: what files really hold, and every way in which they lie."""

from __future__ import annotations

import os
import resource
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import FaultError, RequestError
from engine.region import Region, Take, read, write
from engine.samples import MAX_SAMPLES

RATE = 48000


def noise(n_frames: int, n_channels: int = 2, seed: int = 0) -> np.ndarray:
    """Quiet noise, float32."""
    made = np.random.default_rng(seed).uniform(-0.5, 0.5, (n_frames, n_channels))
    return made.astype(np.float32)


def wav_header(n_frames: int, rate: int = RATE, n_channels: int = 2) -> bytes:
    """A 16-bit WAV header that claims so many frames."""
    frame = 2 * n_channels
    size = n_frames * frame
    start = b"RIFF" + struct.pack("<I", (36 + size) & 0xFFFFFFFF) + b"WAVE"
    form = struct.pack("<IHHIIHH", 16, 1, n_channels, rate, rate * frame, frame, 16)
    return start + b"fmt " + form + b"data" + struct.pack("<I", size & 0xFFFFFFFF)


def refused(code: str, says: str, call: Any, *args: Any, **kwargs: Any) -> None:
    """The call fails with a code and a sentence that holds `says`."""
    with pytest.raises(RequestError, match=says) as caught:
        call(*args, **kwargs)
    assert caught.value.code == code


# Regions


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e20])
def test_bad_samples_are_named(bad: float) -> None:
    samples = noise(1000)
    samples[417, 1] = bad
    refused("unreadable-audio", "frame 417, channel 2", Region, samples, RATE)


def test_bad_context_is_named() -> None:
    context = noise(10)
    context[3, 0] = np.nan
    refused("unreadable-audio", "before the region", Region, noise(5), RATE, context)
    refused("unreadable-audio", "after the region", Region, noise(5), RATE, None, context)
    refused("unreadable-audio", "1 channels", Region, noise(5), RATE, noise(3, 1))


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (np.zeros((0, 2), np.float32), "0 frames"),
        (np.zeros((5, 0), np.float32), "0 channels"),
        (np.zeros((5, 9), np.float32), "9 channels"),
        (np.zeros((5, 2, 1), np.float32), "shape"),
        (np.zeros((5, 2), np.int16), "int16"),
        (np.zeros((5, 2), np.complex64), "complex64"),
    ],
)
def test_what_is_no_audio_is_refused(samples: np.ndarray, says: str) -> None:
    refused("unreadable-audio", says, Region, samples, RATE)


@pytest.mark.parametrize("rate", [0, -1, 7999, 192001, 44100.5, float("nan"), True, "48000", None])
def test_rates_out_of_range_are_refused(rate: Any) -> None:
    refused("unreadable-audio", "8000 to 192000", Region, noise(5), rate)


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 192000, 44100.0, np.int64(48000)])
def test_rates_in_range_become_whole_numbers(rate: Any) -> None:
    assert type(Region(noise(5), rate).rate) is int


def test_regions_too_long_are_refused_without_a_copy() -> None:
    endless = np.broadcast_to(np.float32(0), (MAX_SAMPLES // 2 + 1, 2))
    refused("too-long", str(MAX_SAMPLES // 2), Region, endless, RATE)


def test_a_region_has_float32_columns_nobody_writes_to() -> None:
    samples = np.linspace(-1, 1, 7)
    region = Region(samples, RATE)
    assert region.samples.dtype == np.float32
    assert region.samples.shape == (7, 1)
    assert region.before.shape == region.after.shape == (0, 1)
    assert region.length_s == 7 / RATE
    with pytest.raises(ValueError, match="read-only"):
        region.samples[0] = 1
    samples[0] = 0.5  # the caller's own array stays the caller's
    assert region.samples[0, 0] == -1


def test_a_take_is_never_nan() -> None:
    with pytest.raises(FaultError, match="frame 2") as caught:
        Take(np.array([0.0, 1.0, np.nan], np.float32), RATE)
    assert caught.value.code == "internal"


# Reading


@pytest.mark.parametrize(
    ("kind", "subtype", "step"),
    [
        ("wav", "PCM_U8", 2**-7),
        ("wav", "PCM_16", 2**-15),
        ("wav", "PCM_24", 2**-23),
        ("wav", "PCM_32", 2**-24),  # float32 itself
        ("wav", "FLOAT", 0.0),
        ("wav", "DOUBLE", 0.0),
        ("aiff", "PCM_24", 2**-23),
        ("flac", "PCM_24", 2**-23),
        ("w64", "PCM_16", 2**-15),
        ("caf", "PCM_16", 2**-15),
    ],
)
def test_every_bit_depth_is_read_to_its_last_bit(
    tmp_path: Path, kind: str, subtype: str, step: float
) -> None:
    samples = noise(2000, 3)
    path = tmp_path / f"clip.{kind}"
    soundfile.write(path, samples, 44100, subtype)
    region = read(path)
    assert region.rate == 44100
    assert np.abs(region.samples - samples).max() <= step


@pytest.mark.parametrize("kind", ["ogg", "mp3"])
@pytest.mark.parametrize("start", [0, 1, 20000, 262144, 400000])
def test_lossy_files_are_read_where_they_were_asked_for(
    tmp_path: Path, kind: str, start: int
) -> None:
    # A pure tone leaves much in an MP3's bit reservoir: the hardest case to start in the middle of.
    wave = np.sin(np.arange(441000) * 0.05)[:, None].astype(np.float32) * 0.5
    path = tmp_path / f"clip.{kind}"
    soundfile.write(path, wave, 44100)
    whole = soundfile.read(path, dtype="float32", always_2d=True)[0]
    region = read(path, start)
    assert np.abs(region.samples - whole[start:]).max() < 1e-6
    assert np.abs(region.samples[:3000] - wave[start : start + 3000]).max() < 0.05


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    start=st.integers(0, 999),
    frames=st.integers(1, 1000),
    context_s=st.sampled_from([0.0, 0.001, 0.01, 5.0, -1.0]),
)
def test_a_region_and_its_context_are_the_files_own_samples(
    tmp_path_factory: pytest.TempPathFactory, start: int, frames: int, context_s: float
) -> None:
    samples = noise(1000)
    path = tmp_path_factory.getbasetemp() / "context.wav"
    if not path.exists():
        soundfile.write(path, samples, RATE, "FLOAT")
    if start + frames > 1000:
        refused("region-outside-file", "holds 1000 frames", read, path, start, frames)
        return
    region = read(path, start, frames, context_s)
    reach = max(0, round(context_s * RATE))
    stop = start + frames
    assert np.array_equal(region.samples, samples[start:stop])
    assert np.array_equal(region.before, samples[max(0, start - reach) : start])
    assert np.array_equal(region.after, samples[stop : stop + reach])


def test_pedalboard_reads_what_soundfile_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clip.wav"
    samples = noise(5000)
    soundfile.write(path, samples, RATE, "FLOAT")

    def no_soundfile(*_: Any, **__: Any) -> None:
        raise soundfile.LibsndfileError(1)

    monkeypatch.setattr(soundfile, "SoundFile", no_soundfile)
    assert np.array_equal(read(path, 1000, 2000).samples, samples[1000:3000])


@pytest.mark.parametrize(
    ("start", "frames", "code"),
    [
        (-1, None, "region-outside-file"),
        (0, 0, "bad-value"),
        (5, -3, "bad-value"),
        (100, None, "region-outside-file"),
        (99, 2, "region-outside-file"),
        (10**15, 1, "region-outside-file"),
        (0, 10**15, "region-outside-file"),
    ],
)
def test_regions_outside_the_file(
    tmp_path: Path, start: int, frames: int | None, code: str
) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, noise(100), RATE)
    refused(code, "region", read, path, start, frames)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    refused("no-such-file", "does not exist", read, tmp_path / "gone.wav")
    refused("no-such-file", "is not a file", read, tmp_path)
    refused("no-such-file", "does not exist", read, "nul\0.wav")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    refused("no-such-file", "is not a file", read, tmp_path / "pipe.wav")


@pytest.mark.parametrize("name", ["text.wav", "text.flac", "text.mp3", "text.raw", "text"])
@pytest.mark.parametrize("content", [b"", b"not a sound at all\n" * 40, b"RIFF", b"\0" * 300])
def test_files_that_are_no_audio(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    refused("unreadable-audio", name, read, path)


def test_a_truncated_wav_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    data = np.arange(999, dtype="<i2").tobytes()  # half a frame at its end
    path.write_bytes(wav_header(48000) + data)
    region = read(path)
    assert region.n_frames == 499
    assert region.samples[498, 1] == 997 / 32768
    assert read(path, 400, 99).n_frames == 99
    refused("region-outside-file", "holds 499 frames", read, path, 400, 100)


def test_a_truncated_flac_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "cut.flac"
    samples = noise(RATE)
    soundfile.write(path, samples, RATE, "PCM_24")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    region = read(path)
    assert 4096 <= region.n_frames < RATE
    assert np.abs(region.samples - samples[: region.n_frames]).max() <= 2**-23
    refused("region-outside-file", "holds", read, path, 0, RATE)
    refused("region-outside-file", "holds", read, path, RATE - 10, 5)


def test_a_header_of_three_hours_with_no_data_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "claims.wav"
    path.write_bytes(wav_header(3 * 3600 * RATE))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused("unreadable-audio", "no frames", read, path)
    path.write_bytes(wav_header(3 * 3600 * RATE) + b"\1\0" * 20)
    assert read(path).n_frames == 10
    refused("region-outside-file", "holds 10 frames", read, path, 0, 3 * 3600 * RATE)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024  # KiB; three hours would be 4 GiB


def test_a_flac_header_of_a_day_with_a_second_of_data(tmp_path: Path) -> None:
    path = tmp_path / "claims.flac"
    soundfile.write(path, noise(RATE, 1), RATE, "PCM_16")
    data = bytearray(path.read_bytes())
    claimed = 86400 * RATE  # the low 32 bits of STREAMINFO's sample count
    data[8 + 14 : 8 + 18] = struct.pack(">I", claimed & 0xFFFFFFFF)
    path.write_bytes(data)
    assert soundfile.info(path).frames > 2**31
    region = read(path, 0, RATE // 2)
    assert region.n_frames == RATE // 2
    refused("region-outside-file", "holds", read, path, 0, 2 * RATE)


@pytest.mark.parametrize("n_channels", [9, 12])
def test_too_many_channels(tmp_path: Path, n_channels: int) -> None:
    path = tmp_path / "many.wav"
    soundfile.write(path, noise(100, n_channels), RATE)
    refused("unreadable-audio", f"{n_channels} channels", read, path)


@pytest.mark.parametrize("n_channels", range(1, 9))
def test_one_to_eight_channels(tmp_path: Path, n_channels: int) -> None:
    path = tmp_path / "clip.wav"
    samples = noise(100, n_channels)
    soundfile.write(path, samples, RATE, "FLOAT")
    assert np.array_equal(read(path).samples, samples)


@pytest.mark.parametrize("rate", [4000, 384000])
def test_rates_out_of_range_in_files(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, noise(100), rate)
    refused("unreadable-audio", f"{rate} Hz", read, path)


def test_nan_in_the_region_is_named_and_outside_it_left_out(tmp_path: Path) -> None:
    path = tmp_path / "nan.wav"
    samples = noise(1000)
    samples[300, 1] = np.nan
    samples[700, 0] = np.inf
    soundfile.write(path, samples, RATE, "FLOAT")
    refused("unreadable-audio", "frame 100, channel 2", read, path, 200, 300)
    region = read(path, 400, 200)
    assert np.array_equal(region.before, samples[301:400])
    assert np.array_equal(region.after, samples[600:700])


@pytest.mark.parametrize("level", [0.0, 0.25, 1.0])
def test_silence_dc_and_full_scale_are_regions(tmp_path: Path, level: float) -> None:
    path = tmp_path / "flat.wav"
    soundfile.write(path, np.full((500, 1), level), RATE, "FLOAT")
    assert (read(path).samples == np.float32(level)).all()


# Writing


def test_written_files_come_back_bit_for_bit(tmp_path: Path) -> None:
    samples = noise(1234, 5) * 7  # beyond full scale survives in float
    write(tmp_path / "take.wav", samples, 11025)
    region = read(tmp_path / "take.wav")
    assert region.rate == 11025
    assert np.array_equal(region.samples, samples)
    assert soundfile.info(tmp_path / "take.wav").subtype == "FLOAT"


def test_the_same_samples_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        write(tmp_path / name, noise(100), RATE)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_nothing_is_overwritten_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    write(path, noise(10), RATE)
    kept = path.read_bytes()
    refused("conflict", "exists", write, path, noise(20), RATE)
    assert path.read_bytes() == kept
    write(path, noise(20), RATE, overwrite=True)
    assert read(path).n_frames == 20
    assert [p.name for p in tmp_path.iterdir()] == ["take.wav"]


def test_a_name_taken_while_writing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "take.wav"

    def someone_else_writes(handle: int) -> None:
        path.write_bytes(b"theirs")

    monkeypatch.setattr("engine.region.bring_to_disk", someone_else_writes)
    refused("conflict", "exists", write, path, noise(10), RATE)
    assert path.read_bytes() == b"theirs"
    assert [p.name for p in tmp_path.iterdir()] == ["take.wav"]


@pytest.mark.parametrize("number", ["ENOSPC", "EDQUOT"])
def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    import errno

    def full(_: int) -> None:
        raise OSError(getattr(errno, number), "No space left on device")

    monkeypatch.setattr("engine.region.bring_to_disk", full)
    with pytest.raises(FaultError, match="No space") as caught:
        write(tmp_path / "take.wav", noise(10), RATE)
    assert caught.value.code == "out-of-disk"
    assert list(tmp_path.iterdir()) == []


def test_writing_where_there_is_no_folder(tmp_path: Path) -> None:
    refused("no-such-file", "folder", write, tmp_path / "gone" / "take.wav", noise(5), RATE)


def test_nan_is_never_written(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    refused("unreadable-audio", "frame 0", write, path, np.full(5, np.nan, np.float32), RATE)
    refused("unreadable-audio", "0 frames", write, path, noise(0), RATE)
    assert not path.exists()
