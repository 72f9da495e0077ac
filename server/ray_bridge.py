"""The process that speaks with a Ray cluster: orders come in as JSON lines, jobs go out to actors.

Started by server/ray_executor.py as `python -m server.ray_bridge`, so that whatever happens to Ray
(it ends a process whose cluster is gone) happens to this process and not to the server. Lines are
those of server/worker.py, and besides::

    in   {"do": "drop", "job": "a1"}        end the process that runs it: no more is to be hoped for
    out  {"event": "ready", ..., "slots": 2}                 whenever the number of slots changes
         {"event": "beat", "job": "a1", "memory_bytes": ...} of the actor that runs it
         {"event": "lost", "job": "a1", "message": "..."}    its actor or node died under it

Clips are read and takes written here, on the server's machine: nodes see bytes only, and a node
that dies leaves no half of a file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from engine.errors import Cancelled, FaultError
from engine.region import Region, read
from server.ray_actor import own_version
from server.ray_cluster import Cluster
from server.submission import Submission
from server.takes_out import keep_takes
from server.worker import failure, own_lines

log = logging.getLogger("retake.ray")

#: How often the cluster is asked whether it has grown, and a slot that is down whether it is back.
LOOK_S, RETRY_S = 2.0, 0.5
#: An actor that can't be made (Retake isn't installed there, say) is not made again before this.
REMAKE_S = 10.0
#: At the end actors get so long to go; the server waits a little longer.
LEAVE_S = 4.0


class LostError(Exception):
    """The actor died under a job, or was ended."""


class UnfitError(Exception):
    """An actor no job can be given to."""


@dataclass(eq=False)
class Slot:
    """An actor as the bridge sees it."""

    actor: Any = None
    device: str = ""
    is_up: bool = False
    job: str = ""  # that it is kept for
    ticket: str = ""  # of the run on the actor
    wish: str = ""  # what is to become of the job: "", "cancel" or "drop"
    trouble: str = ""  # said last
    keeper: asyncio.Task[None] | None = None


class Bridge:
    """Hands orders to slots.

    Parameters
    ----------
    cluster : Cluster
    model, device : str
        What actors load, and where each runs.
    sink : text file
        Where lines go to.
    """

    def __init__(self, cluster: Cluster, model: str, device: str, sink: IO[str]) -> None:
        self._cluster, self._model, self._device, self._sink = cluster, model, device, sink
        self._slots: list[Slot] = []
        self._name = model  # as the actors say it
        self._n_runs = 0

    async def serve(self, orders: asyncio.Queue[dict[str, Any] | None]) -> None:
        """Work until the orders end; what nobody foresaw ends it too."""
        async with asyncio.TaskGroup() as tasks:
            grower = tasks.create_task(self._grow(tasks))
            while (order := await orders.get()) is not None:
                self._obey(order, tasks)
            for task in (grower, *(slot.keeper for slot in self._slots if slot.keeper)):
                task.cancel()

    def _obey(self, order: dict[str, Any], tasks: asyncio.TaskGroup) -> None:
        job = order["job"]
        if order["do"] == "run":
            # The server has told from `slots` that there is room; a slot may have died since.
            free = next((slot for slot in self._slots if slot.is_up and not slot.job), None)
            if free is None:
                self._say("lost", job=job, message="no slot of the cluster is free")
            else:
                free.job, free.wish = job, ""
                tasks.create_task(self._run(free, order))
            return
        for slot in self._slots:
            if slot.job == job:
                self._end(slot, order["do"])

    def _end(self, slot: Slot, how: str) -> None:
        """Stop a job: "cancel" at its next step, "drop" with the process that runs it."""
        slot.wish = how
        if slot.actor is None:  # it died and was given up; its run's error is yet to come
            return
        if how == "drop":
            self._set_up(slot, False)
            self._cluster.kill(slot.actor, is_for_good=False)
        elif slot.ticket:
            slot.actor.cancel.options(concurrency_group="talk").remote(slot.ticket)

    # Jobs

    async def _run(self, slot: Slot, order: dict[str, Any]) -> None:
        try:
            answer = await self._answer(slot, order)
        except Cancelled:
            answer = {"event": "stop"}
        except LostError as error:
            answer = {"event": "lost", "message": str(error)}
        except Exception as error:
            answer = {"event": "fail", **failure(error)}
        slot.job = ""
        self._say(answer.pop("event"), job=order["job"], **answer)

    async def _answer(self, slot: Slot, order: dict[str, Any]) -> dict[str, Any]:
        """What the slot makes of a job, its takes in the spool."""
        submission = Submission.from_json(order["submission"])
        region = None
        self._say("progress", job=order["job"], fraction=0.0, stage="reading")
        if order["path"]:
            span = submission.start_frames, submission.frames
            region = await asyncio.to_thread(read, order["path"], *span)
        if slot.wish == "cancel":
            raise Cancelled(order["job"])
        if not slot.is_up:
            raise LostError("its actor died while the clip was read")
        answer = await self._edited(slot, order, region)
        if answer["event"] == "finish":
            spool, spare_bytes = Path(order["spool"]), order.get("spare_bytes", 0)
            takes = answer["takes"]
            answer["takes"] = await asyncio.to_thread(
                keep_takes, spool, order["job"], takes, spare_bytes
            )
        return answer

    async def _edited(
        self, slot: Slot, order: dict[str, Any], region: Region | None
    ) -> dict[str, Any]:
        self._n_runs += 1
        slot.ticket = f"{order['job']} {self._n_runs}"
        run = slot.actor.run.options(concurrency_group="edit")
        try:
            answer: dict[str, Any] = await run.remote(slot.ticket, order["submission"], region)
        except self._cluster.error as error:
            if self._cluster.is_out_of_memory(error):
                raise FaultError("out-of-memory", "the node ran out of memory") from error
            if self._cluster.is_ours(error):
                raise
            self._set_up(slot, False)
            raise LostError(f"its process or its node died ({type(error).__name__})") from error
        finally:
            slot.ticket = ""
        return answer

    # Slots

    async def _grow(self, tasks: asyncio.TaskGroup) -> None:
        """As many slots as the cluster has room for, whenever it has grown."""
        self._tell_slots()
        while True:
            wanted = await asyncio.to_thread(self._cluster.n_wanted)
            while len(self._slots) < wanted:
                self._slots.append(slot := Slot())
                slot.keeper = tasks.create_task(self._keep(slot))
            await asyncio.sleep(LOOK_S)

    async def _keep(self, slot: Slot) -> None:
        """Bring a slot up and follow it until it dies, again and again."""
        failures: tuple[type[Exception], ...] = (UnfitError, self._cluster.error)
        while True:
            try:
                await self._bring_up(slot)
                await self._follow(slot)
            except failures as error:
                self._set_up(slot, False)
                self._complain(slot, _shortened(error))
                await asyncio.sleep(self._wait_s(slot, error))

    def _wait_s(self, slot: Slot, error: Exception) -> float:
        """Until an actor is asked again; where Ray won't start it again, another is made."""
        if not isinstance(error, UnfitError) and self._cluster.is_restarted(error):
            return RETRY_S
        if slot.actor is not None:
            self._cluster.kill(slot.actor, is_for_good=True)
            slot.actor = None
        return REMAKE_S

    async def _bring_up(self, slot: Slot) -> None:
        if slot.actor is None:
            slot.actor = self._cluster.actor(self._model, self._device)
        facts = await slot.actor.hello.options(concurrency_group="edit").remote()
        if facts["version"] != own_version():
            raise UnfitError(
                f"{facts['node']} has Retake {facts['version']}, the server {own_version()}"
            )
        if "code" in facts:
            self._complain(slot, f"{facts['node']}: {facts['message']}")
        else:
            log.info("a slot is up on %s, %s", facts["node"], facts["device"])
            self._name, slot.trouble = facts["model"], ""
        slot.device = facts["device"]
        self._set_up(slot, True)

    async def _follow(self, slot: Slot) -> None:
        """Pass on what the actor tells, for as long as all is well with it."""
        follow = slot.actor.follow.options(concurrency_group="talk")
        while slot.is_up:
            points, memory_bytes = await follow.remote()
            for ticket, fraction, stage in points:
                if ticket == slot.ticket:
                    self._say("progress", job=slot.job, fraction=fraction, stage=stage)
            if slot.job:
                self._say("beat", job=slot.job, memory_bytes=memory_bytes)

    def _set_up(self, slot: Slot, is_up: bool) -> None:
        if slot.is_up != is_up:
            slot.is_up = is_up
            self._tell_slots()

    def _tell_slots(self) -> None:
        devices = sorted({slot.device for slot in self._slots if slot.is_up})
        n_slots = sum(slot.is_up for slot in self._slots)
        device = ", ".join([f"ray: {n_slots} slot{'s' * (n_slots != 1)}", *devices])
        self._say("ready", model=self._name, device=device, slots=n_slots)

    def _complain(self, slot: Slot, trouble: str) -> None:
        """Log what is wrong with a slot, once."""
        if trouble != slot.trouble:
            slot.trouble = trouble
            log.warning("a slot is down: %s", trouble)

    def _say(self, event: str, **facts: Any) -> None:
        self._sink.write(json.dumps({"event": event, **facts}) + "\n")
        self._sink.flush()


def _shortened(error: Exception) -> str:
    """The end of what an error says: what went wrong, after many lines of where."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1][:300] if lines else 'no message'}"


def _listen(source: IO[str], loop: asyncio.AbstractEventLoop, orders: Any) -> None:
    for line in source:
        loop.call_soon_threadsafe(orders.put_nowait, json.loads(line))
    # The server is gone: nobody waits for what is being made, and Ray may wait long for a cluster.
    threading.Timer(LEAVE_S, os._exit, (0,)).start()
    loop.call_soon_threadsafe(orders.put_nowait, None)


async def _serve(cluster: Cluster, model: str, device: str, lines: tuple[IO[str], IO[str]]) -> None:
    source, sink = lines
    orders: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    threading.Thread(target=_listen, args=(source, loop, orders), daemon=True).start()
    await Bridge(cluster, model, device, sink).serve(orders)


def main(argv: list[str] | None = None) -> None:
    """`python -m server.ray_bridge --model pocket --device auto --address auto --slots 0`."""
    parser = argparse.ArgumentParser(prog="retake-ray-bridge")
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--address", default="auto")
    parser.add_argument("--slots", type=int, default=0)
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    lines = own_lines()
    log.info("looking for the Ray cluster at %s", options.address)
    cluster = Cluster(options.address, options.slots)
    asyncio.run(_serve(cluster, options.model, options.device, lines))
    cluster.close()
    os._exit(0)


if __name__ == "__main__":
    main()
