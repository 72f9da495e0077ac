"""`retake serve|jobs|cancel|watch|doctor` as a person meets them, and what serve shows."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running import DEADLINE_S, DOUBLE, RATE, Running, wait_for_a_step, wait_until

from daw_bridge.client import Client
from server import cli, doctor
from server.console import CLEAR_LINE, Console
from server.executor_process import worker_environment
from server.jobs import Jobs

ROOT = Path(__file__).parents[1]


def retake(server: Running, *arguments: str) -> int:
    return cli.main([*arguments, "--state-dir", str(server.folder)])


def test_jobs_are_listed_watched_and_cancelled(
    server: Running, clip_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Client.connect(server.folder, "tcp") as client:
        client.wait(client.submit("first", edit="transfer", path=clip_file, prompt="x"))
        client.submit("second", edit="transfer", path=clip_file, prompt="slow")
        wait_for_a_step(client, "second")
    assert retake(server, "watch", "first", "--json") == cli.OK
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["take", "done"]
    assert (lines[0]["job"], lines[0]["frames"], lines[0]["rate"]) == ("first", RATE // 10, RATE)
    assert retake(server, "jobs", "--json") == cli.OK
    rows = {row["job"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["second"] == {"job": "second", "edit": "transfer", "state": "running"}
    assert retake(server, "cancel", "second") == cli.OK
    assert retake(server, "cancel", "second") == cli.OK
    assert capsys.readouterr().out == "second is cancelled\n" * 2
    assert retake(server, "cancel", "first") == cli.OK
    assert capsys.readouterr().out == "first was done already\n"
    assert retake(server, "watch", "second") == cli.OUR_FAULT
    assert capsys.readouterr().out == "second  cancelled\n"
    assert retake(server, "jobs") == cli.OK
    assert "second  cancelled  transfer" in capsys.readouterr().out


def test_watching_a_job_that_fails_ends_with_its_status(
    server: Running, clip_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Client.connect(server.folder, "tcp") as client:
        job = client.submit(edit="transfer", path=clip_file.with_name("gone.wav"), prompt="x")
    assert retake(server, "watch", job) == cli.CALLERS_MISTAKE
    assert "(no-such-file)" in capsys.readouterr().out


def test_every_jobs_events_are_heard(server: Running, clip_file: Path) -> None:
    heard: list[tuple[str, str]] = []
    listening = threading.Event()

    def listen() -> None:
        with Client.connect(server.folder, "tcp") as watcher:
            events = watcher.all_events()
            watcher.watch()
            listening.set()
            for job, event in events:
                heard.append((job, event.name))
                if job == "loud-2" and event.name == "done":
                    return

    thread = threading.Thread(target=listen)
    thread.start()
    assert listening.wait(DEADLINE_S)
    with Client.connect(server.folder, "tcp") as client:
        for name in ("loud-1", "loud-2"):
            client.wait(client.submit(name, edit="transfer", path=clip_file, prompt="x"))
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert {("loud-1", "done"), ("loud-2", "started"), ("loud-2", "take")} <= set(heard)


@pytest.mark.parametrize(
    ("command", "job", "word"),
    [
        ("watch", "nobody", "no job is called"),
        ("cancel", "nobody", "no job is called"),
        ("watch", "a/b", "a folder is watched with"),  # no job's name has a slash
        ("cancel", "a/b", "must be"),
    ],
)
def test_jobs_that_are_not_there(
    server: Running, command: str, job: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert retake(server, command, job) == cli.CALLERS_MISTAKE
    assert word in capsys.readouterr().err


def test_serve_takes_its_limits_in_the_servers_units(tmp_path: Path) -> None:
    def settings(*arguments: str) -> cli.Settings:
        parsed = cli.build_parser().parse_args(["serve", "--state-dir", str(tmp_path), *arguments])
        return cli.serve_settings(parsed)

    plain = settings()
    assert (plain.keep.days, plain.keep.total_bytes) == (30, 20 * 2**30)
    assert (plain.limits.stall_s, plain.limits.silent_s) == (600, 120)
    assert plain.limits.spare_bytes == 2**28
    given = settings(
        *("--keep-days", "0", "--keep-gib", "0.5", "--stall-timeout", "30"),
        *("--memory-limit", "1.5", "--spare-disk", "0", "--log-json"),
    )
    assert (given.keep.days, given.keep.total_bytes) == (0, 2**29)
    assert (given.limits.stall_s, given.limits.silent_s) == (30, 30)
    assert (given.limits.memory_bytes, given.limits.spare_bytes) == (3 * 2**29, 0)
    assert given.is_json_log


def test_serving_on_ray_without_ray_says_what_to_install_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.main(["serve", "--executor", "ray", "--state-dir", str(tmp_path)]) == 2
    assert f"{sys.executable} -m pip install ray" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "much"])
def test_limits_that_are_none(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["serve", "--keep-days", value])
    assert "is not a number from 0 up" in capsys.readouterr().err


def test_the_page_has_every_option_of_serve() -> None:
    page = (ROOT / "docs" / "server.md").read_text(encoding="utf-8")
    parser = cli.build_parser()
    [commands] = [a for a in parser._actions if a.dest == "command"]
    assert commands.choices
    for action in commands.choices["serve"]._actions:  # type: ignore[call-overload]
        for option in action.option_strings:
            assert option in ("-h", "--help") or f"`{option}" in page, option


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def record(text: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("retake.server", level, "", 0, text, (), None)


def test_the_status_line_stays_under_the_log() -> None:
    stream = Terminal()
    console = Console(stream)
    console.show("idle")
    console.emit(record("job a: done"))
    shown = stream.getvalue()
    assert shown.startswith(f"{CLEAR_LINE}idle{CLEAR_LINE}")
    assert shown.endswith(" job a: done\nidle")
    console.show("idle")  # nothing new, nothing written
    assert stream.getvalue() == shown
    console.close()
    assert stream.getvalue() == f"{shown}{CLEAR_LINE}"


def test_a_file_gets_plain_lines_and_no_status() -> None:
    stream = io.StringIO()
    console = Console(stream)
    console.show("idle")
    console.emit(record("careful", logging.WARNING))
    assert stream.getvalue().endswith(" warning: careful\n")
    assert "\x1b" not in stream.getvalue()
    assert stream.getvalue().count("\n") == 1
    console.close()


def test_json_lines_are_json_even_on_a_terminal() -> None:
    stream = Terminal()
    console = Console(stream, is_json=True)
    console.show("idle")
    try:
        raise ZeroDivisionError("by design")
    except ZeroDivisionError:
        trace = sys.exc_info()
    one = logging.LogRecord("retake", logging.ERROR, "", 0, "two\nlines %d", (2,), trace)
    one.created = one.msecs = 0.0
    console.emit(one)
    entry = json.loads(stream.getvalue())
    assert stream.getvalue().count("\n") == 1
    assert entry["time"] == "1970-01-01T00:00:00.000Z"
    assert (entry["level"], entry["message"]) == ("error", "two\nlines 2")
    assert "by design" in entry["trace"]
    console.close()


def findings(folder: Path, *checks: str) -> dict[str, doctor.Finding]:
    looked = [check for check in doctor.CHECKS if check.__name__ in checks]
    assert len(looked) == len(checks)
    return {one.name: one for check in looked for one in doctor._guarded(check, folder)}


def test_doctor_knows_a_running_server_and_keeps_its_token(
    server: Running, clip_file: Path
) -> None:
    found = findings(server.folder, "_server", "_doors", "_spool", "_store", "_memory")
    assert all(one.is_well for one in found.values()), found
    assert "double on nowhere" in found["server"].text
    assert str(server.conf.udp) in found["doors"].text
    assert not any(server.conf.token in one.text for one in found.values())


@pytest.mark.skipif(sys.platform == "win32", reason="modes are a POSIX thing")
def test_doctor_sees_an_open_spool_and_a_damaged_store(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir(mode=0o755)
    (tmp_path / "spool").chmod(0o755)
    (tmp_path / "jobs.sqlite").write_bytes(b"no database" * 100)
    jobs = Jobs(tmp_path / "jobs.sqlite")
    jobs.submit("a", "me", "{}")
    jobs.close()
    found = findings(tmp_path, "_spool", "_store")
    assert not found["spool's mode"].is_well
    assert not found["damaged jobs"].is_well
    assert found["jobs"].text == "1 queued"
    assert not findings(tmp_path / "nowhere", "_doors", "_spool", "_store")


@contextlib.contextmanager
def serving(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server on the double, with signals of its own; its log is `log`, its steps `steps`."""
    code = (
        "import sys; from pathlib import Path; from server.serve import Settings, serve\n"
        "serve(Settings(Path(sys.argv[1]), 0, 0, 'double', command=sys.argv[2:],"
        " is_json_log=True))"
    )
    folder, steps = tmp_path / "state", tmp_path / "steps"
    command = [sys.executable, "-c", code, str(folder), sys.executable, str(DOUBLE), str(steps)]
    with (tmp_path / "log").open("w") as file:
        process = subprocess.Popen(command, env=worker_environment(), stderr=file)
    try:
        wait_until((folder / "server.conf").exists)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_ctrl_c_stops_after_the_running_job(tmp_path: Path, clip_file: Path) -> None:
    folder = tmp_path / "state"
    keys: dict[str, Any] = {"edit": "transfer", "path": clip_file}
    with serving(tmp_path) as process:
        with Client.connect(folder, "tcp") as client:
            running = client.submit("running", prompt="short", **keys)
            client.submit("queued", prompt="later", **keys)
            wait_for_a_step(client, running)
            os.kill(process.pid, signal.SIGINT)
            assert len(client.wait(running)) == 1
        assert process.wait(DEADLINE_S) == 0
    assert "later" not in (tmp_path / "steps").read_text()
    jobs = Jobs(folder / "jobs.sqlite")
    assert [job.state for job in jobs.latest()] == ["done", "queued"]
    jobs.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_ctrl_c_twice_stops_at_once(tmp_path: Path, clip_file: Path) -> None:
    folder, log = tmp_path / "state", tmp_path / "log"
    with serving(tmp_path) as process, Client.connect(folder, "tcp") as client:
        job = client.submit(edit="transfer", path=clip_file, prompt="slow")
        wait_for_a_step(client, job)
        os.kill(process.pid, signal.SIGINT)
        wait_until(lambda: "once more" in log.read_text())
        assert client.status(job)[0] == "running"
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(DEADLINE_S) == 0
    assert not (folder / "server.conf").exists()
    messages = [json.loads(line)["message"] for line in log.read_text().splitlines()]
    assert any("listening on udp" in message for message in messages)
