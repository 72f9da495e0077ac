"""A Ray cluster on this machine, for tests: a head, and nodes that are processes of their own.

Lines in: "add" (a node), "kill" (the one that isn't the head, with SIGKILL), "stop". Out: the
address, then "done" for each line.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

from ray.cluster_utils import Cluster

NODE: dict[str, Any] = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 100 * 2**20}


def main() -> None:
    """Serve stdin until it ends."""
    say, sys.stdout = sys.stdout, sys.stderr
    # Short: sockets lie in there, and their paths are limited.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        # Where it notes which cluster is the current one; it makes no such folder itself.
        os.environ["RAY_TMPDIR"] = folder
        Path(folder, "ray").mkdir()
        head = {**NODE, "include_dashboard": False, "temp_dir": folder}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            _serve(cluster, say)
        finally:
            cluster.shutdown()
    print("done", file=say, flush=True)


def _serve(cluster: Any, say: IO[str]) -> None:
    print(cluster.address, file=say, flush=True)
    for line in sys.stdin:
        if line.strip() == "add":
            cluster.add_node(**NODE)
        elif line.strip() == "kill":
            cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        else:
            return
        print("done", file=say, flush=True)


if __name__ == "__main__":
    main()
