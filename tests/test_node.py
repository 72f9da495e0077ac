"""The Node client, run by Node against a real server; skipped only where there is no Node."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from running import Running, wait_until

from daw_bridge.wire import ServerNotRunning, read_conf

HERE = Path(__file__).parent
CLIENT = HERE.parent / "daw_bridge" / "node"

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="Node is not installed")

#: Waits for a job whose server is killed under it, and says how that ended.
ORPHAN = """
const { connect } = require(process.env.CLIENT + "/retake.js");
connect({ stateDir: process.env.STATE }).then(async (client) => {
  const job = await client.submit({ edit: "transfer", path: process.env.CLIP, prompt: "slow" });
  console.log("submitted");
  await client.wait(job).catch((error) => console.log(error.code));
});
"""


def environment(state: Path, clip: Path) -> dict[str, str]:
    return {**os.environ, "STATE": str(state), "CLIP": str(clip), "CLIENT": str(CLIENT)}


@needs_node
def test_client_with_node(server: Running, clip_file: Path) -> None:
    done = subprocess.run(
        [NODE, "--test", str(HERE / "node_client.test.js")],
        env=environment(server.folder, clip_file),
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)
    assert passed
    assert int(passed[1]) == (HERE / "node_client.test.js").read_text().count("\ntest(")


@needs_node
def test_killed_server_is_told_at_once(tmp_path: Path, clip_file: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    server = subprocess.Popen([sys.executable, str(HERE / "serve_double.py"), str(state)])
    try:
        wait_until(lambda: _is_there(state))
        client = subprocess.Popen(
            [NODE, "-e", ORPHAN],
            env=environment(state, clip_file),
            stdout=subprocess.PIPE,
            text=True,
        )
        with client:
            assert client.stdout is not None
            assert client.stdout.readline() == "submitted\n"
            server.kill()
            assert client.communicate(timeout=60)[0] == "server-gone\n"
    finally:
        server.kill()
        server.wait(30)


def _is_there(state: Path) -> bool:
    try:
        return bool(read_conf(state))
    except ServerNotRunning:
        return False


def test_client_needs_nothing_but_node() -> None:
    for path in CLIENT.glob("*.js"):
        for name in re.findall(r"require\(\"([^\"]+)\"\)", path.read_text()):
            assert name.startswith("./") or name in {"crypto", "fs", "net", "os", "path"}, name
    assert "dependencies" not in (CLIENT / "package.json").read_text()
