"""What is asked of Ray: a connection, how many slots a cluster has, actors, and its errors sorted.

Ray is imported when a Cluster is made, and by nothing else.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Sequence
from typing import Any

from server.ray_actor import RaySlot

#: Threads of an actor: one edits, others say how far it is and hear a cancel.
GROUPS = {"edit": 1, "talk": 3}


class Cluster:
    """A Ray cluster this process has joined.

    Parameters
    ----------
    address : str
        "auto" (the cluster this machine is a node of) or HOST:PORT of its head.
    n_slots : int
        Actors wanted; 0 for one a graphics card, or one a node where there are none.
    """

    def __init__(self, address: str, n_slots: int = 0) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
        self._ray: Any = importlib.import_module("ray")
        self._errors: Any = importlib.import_module("ray.exceptions")
        self._ray.init(
            address=address,
            namespace="retake",
            log_to_driver=False,
            logging_level=logging.WARNING,
        )
        self._n_slots = n_slots

    def n_wanted(self) -> int:
        """How many slots there should be now; more when nodes have joined."""
        cpus, n_cards = self._resources()
        return self._n_slots or n_cards or len(cpus)

    def actor(self, model: str, device: str) -> Any:
        """A new actor, restarted by Ray wherever there is room when it or its node dies."""
        cpus, n_cards = self._resources()
        share = 1.0 if n_cards else cpus_a_slot(cpus, self._n_slots)
        remote = self._ray.remote(concurrency_groups=GROUPS)(RaySlot)
        return remote.options(
            num_cpus=share,  # as many threads as Ray gives it
            num_gpus=min(n_cards, 1),
            max_restarts=-1,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        ).remote(model, device)

    def _resources(self) -> tuple[list[float], int]:
        """CPUs of every node that has any to give, and the cluster's graphics cards."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        cpus = [node["CPU"] for node in nodes if node.get("CPU", 0.0) >= 1.0]
        return cpus, int(sum(node.get("GPU", 0.0) for node in nodes))

    def kill(self, actor: Any, is_for_good: bool) -> None:
        """End an actor's process now; Ray starts it again unless it is for good."""
        self._ray.kill(actor, no_restart=is_for_good)

    def close(self) -> None:
        """Leave the cluster; the actors go."""
        self._ray.shutdown()

    @property
    def error(self) -> type[Exception]:
        """What everything that Ray raises is one of."""
        kind: type[Exception] = self._errors.RayError
        return kind

    def is_restarted(self, error: Exception) -> bool:
        """Whether Ray starts the actor again that raised this."""
        return isinstance(error, self._errors.ActorUnavailableError)

    def is_out_of_memory(self, error: Exception) -> bool:
        """Whether Ray killed a process because its node ran out of memory."""
        return isinstance(error, self._errors.OutOfMemoryError)

    def is_ours(self, error: Exception) -> bool:
        """Whether the actor lives and its method failed: trying again would fail again."""
        return isinstance(error, self._errors.RayTaskError)


def cpus_a_slot(cpus: Sequence[float], n_slots: int = 0) -> float:
    """How many CPUs an actor gets on nodes of such sizes.

    Parameters
    ----------
    cpus : sequence of float
        Of each node.
    n_slots : int
        The most that lets so many actors fit, 1 where they don't; 0: all of the smallest node's, so
        that each node has room for one.
    """
    if not n_slots:
        return float(int(min(cpus, default=1.0)))
    for n_cpus in range(int(max(cpus, default=1.0)), 1, -1):
        if sum(int(cpu // n_cpus) for cpu in cpus) >= n_slots:
            return float(n_cpus)
    return 1.0
