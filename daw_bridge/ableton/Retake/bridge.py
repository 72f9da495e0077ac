"""The bridge itself: what is asked for at the door, what the server says, what Live is told."""

from __future__ import annotations

import os
import time
from collections import deque
from typing import Any, Callable, Iterator

from . import clips, conf, files, osc, placing
from .door import Door, Peer
from .form import FROM_NOTHING, Form, Setting
from .jobs import CANCELLED, DONE, FAILED, OPEN, PLACED, WAITING, Job, Jobs
from .link import Link

VERSION = "0.1.0"
PROTOCOL = 1
#: How long a job waits for a server to be found before the user is told there is none.
PATIENCE_S = 3.0
PRESETS_A_TICK = 25
#: A direction of `continue`, and the tag of presets that have it.
BEFORE = "before"
#: What a surface's button may stand for; it sends 0 when it is let go.
BUTTONS = ("go", "again", "cancel", "clip", "presets", "hello")


class Bridge:
    """Everything between Live, the server and the surfaces; `tick` is called ten times a second.

    Parameters
    ----------
    c_instance : Live's handle of a control surface
        Gives the song, shows messages, writes Live's log.
    """

    def __init__(self, c_instance: Any) -> None:
        self._c_instance = c_instance
        folder = conf.state_folder()
        self._folder = folder
        self._link, self._door = Link(folder), Door(folder)
        self._form, self._jobs = Form(), Jobs()
        self._presets: dict[str, tuple[str, ...]] = {}
        self._presets_before = conf.installed().get("before", "").split()
        self._work: deque[tuple[Job, Iterator[str]]] = deque()
        self._said: deque[tuple[Peer, tuple[Any, ...]]] = deque()
        self._model = ""
        self._askers: list[Peer] = []
        self._was_up = False
        self._commands: dict[str, Callable[..., None]] = {
            "hello": self._hello,
            "set": self._set,
            "go": self._go,
            "again": self._again,
            "cancel": self._cancel,
            "clip": self._clip,
            "presets": self._list_presets,
            "watch": self._watch,
        }
        if not self._door.port:
            self._show("Retake: all ports from 9142 to 9161 are taken; no panel can reach Live.")

    @property
    def port(self) -> int:
        """Where the panel and surfaces reach this script; 0 where they don't."""
        return self._door.port

    def tick(self) -> None:
        """A little of everything; never waits."""
        now_s = time.monotonic()
        for message in self._link.poll(now_s):
            self._hear(message)
        self._look_at_link(now_s)
        for peer, (address, values) in self._door.poll():
            self._obey(peer, address, values, now_s)
        self._door.forget_silent(now_s)
        self._tell_progress()
        self._answer_slowly()
        self._work_on()

    def close(self) -> None:
        """Live quits or opens another set: stop what is under way, leave nothing open."""
        for _, work in self._work:
            work.close()  # type: ignore[attr-defined]
        self._work.clear()
        for job in self._jobs.open():
            self._link.send("/retake/cancel", job.name)
        self._link.close()
        self._door.close()

    # What the server says.

    def _hear(self, message: osc.Message) -> None:
        address, values = message
        word = address.rsplit("/", 1)[-1]
        if word == "item" and values[:1] == ("presets",):
            self._presets[str(values[1])] = tuple(map(str, values[2:]))
        elif word == "end" and values[:1] == ("presets",):
            self._answer_presets()
        elif word == "hello":
            self._model = str(values[2])
        elif word == "error":
            code, text, subject = values[1:4]
            if subject in self._jobs.by_name and self._jobs.by_name[str(subject)].state in OPEN:
                self._hear(("/retake/fail", (subject, code, text)))
        elif values and values[0] in self._jobs.by_name:
            job = self._jobs.by_name[str(values[0])]
            was, why = job.state, job.hear(word, values[1:])
            if job.state != was and job.state not in OPEN:
                self._end(job, why)

    def _end(self, job: Job, why: str) -> None:
        if job.state == DONE:
            self._work.append((job, self._bring(job)))
        elif job.state == CANCELLED:
            self._finish(job, CANCELLED, f"Retake: {job.text} was cancelled.")
        else:
            self._finish(job, FAILED, f"Retake: {job.text} failed: {why}")

    def _finish(self, job: Job, how: str, text: str) -> None:
        job.state = how
        self._show(text)
        self._door.tell("/retake/live/ended", job.name, how, text)

    def _look_at_link(self, now_s: float) -> None:
        if self._link.is_up != self._was_up:
            self._was_up = self._link.is_up
            self._greet() if self._was_up else self._mourn()
        if not self._was_up:
            for job in self._jobs.open():
                if job.state == WAITING and now_s - job.since_s > PATIENCE_S:
                    self._finish(job, FAILED, self._no_server())

    def _greet(self) -> None:
        self._link.send("/retake/hello", "ableton", PROTOCOL)
        self._link.send("/retake/list", "presets")
        for job in self._jobs.open():  # the same job again is the same job
            self._submit(job)
        self._door.tell("/retake/live/server", 1, "The server answers.")

    def _mourn(self) -> None:
        text = "The Retake server is gone. Start it with: " + conf.serve_command()
        if self._jobs.open():
            text += " (what it was at goes on then)"
        self._show(text)
        self._door.tell("/retake/live/server", 0, text)

    def _no_server(self) -> str:
        return "No Retake server answers. Start one in a terminal: " + conf.serve_command()

    def _submit(self, job: Job) -> None:
        self._link.send("/retake/submit", *job.request())
        if job.is_cancelling:
            self._link.send("/retake/cancel", job.name)

    # What is asked for at the door.

    def _obey(self, peer: Peer, address: str, values: tuple[osc.Value, ...], now_s: float) -> None:
        folder, _, word = address.rpartition("/")
        command = self._commands.get(word) if folder == "/retake/live" else None
        try:
            if command is None:
                known = ", ".join(self._commands)
                raise clips.RefusalError(f"Unknown {address[:60]}; there are: {known}")
            if not (word in BUTTONS and values and values[0] in (0, False)):
                command(peer, values, now_s)
        except clips.RefusalError as error:
            self._show(f"Retake: {error}")
            self._door.tell("/retake/live/error", str(error), to=peer)
        except Exception as error:  # Live's, mostly: the user is told, and the next tick comes
            text = f"Live can't do that here: {error}"
            self._log(f"{address}: {error!r}")
            self._show("Retake: " + text)
            self._door.tell("/retake/live/error", text, to=peer)

    def _hello(self, peer: Peer, values: tuple[osc.Value, ...], now_s: float) -> None:
        self._door.tell("/retake/live/hello", VERSION, self._edit(), to=peer)
        self._door.tell("/retake/live/form", *self._form.pairs(), to=peer)
        text = "The server answers." if self._link.is_up else self._no_server()
        self._door.tell("/retake/live/server", int(self._link.is_up), text, to=peer)

    def _set(self, peer: Peer, values: tuple[osc.Value, ...], now_s: float) -> None:
        if len(values) != 2:
            raise clips.RefusalError(f"set takes a key and a value; {len(values)} came.")
        self._form.set(*values)
        self._door.tell_all(peer, "/retake/live/form", *self._form.pairs())

    def _go(self, peer: Peer, values: tuple[osc.Value, ...], now_s: float) -> None:
        if values and isinstance(values[0], str):  # a button sends 1
            self._form.set("prompt", values[0])
        self._start(dict(self._form.values), self._source(), peer, now_s)

    def _again(self, peer: Peer, values: tuple[osc.Value, ...], now_s: float) -> None:
        last = self._jobs.latest()
        if last is None:
            raise clips.RefusalError("Nothing was made yet; choose a clip and go.")
        again = {key: value for key, value in last.values.items() if key != "seed"}
        self._start(again, last.source, peer, now_s)

    def _start(
        self, values: dict[str, Setting], source: clips.Source, peer: Peer, now_s: float
    ) -> None:
        self._door.listen(peer, now_s)
        job = self._jobs.add(values, source, now_s)
        self._door.tell("/retake/live/job", job.name, job.text)
        if self._link.is_up:
            self._submit(job)
        self._show(f"Retake: {job.text} is on its way.")

    def _cancel(self, peer: Peer, values: tuple[osc.Value, ...], now_s: float) -> None:
        wanted = values[0] if values and isinstance(values[0], str) else None
        found = [job for job in self._jobs.open() if wanted in (None, job.name)]
        if not found:
            raise clips.RefusalError("No job runs that could be cancelled.")
        job = found[-1]
        job.is_cancelling = True
        if self._link.is_up:
            self._link.send("/retake/cancel", job.name)
        elif job.state == WAITING:
            self._finish(job, CANCELLED, f"Retake: {job.text} was cancelled.")

    def _clip(self, peer: Peer, values: tuple[osc.Value, ...], now_s: float) -> None:
        source = self._source()
        facts = (source.clip_name, source.start_s, source.length_s)
        self._door.tell("/retake/live/clip", *facts, to=peer)

    def _list_presets(self, peer: Peer, values: tuple[osc.Value, ...], now_s: float) -> None:
        if not self._link.is_up:
            raise clips.RefusalError(self._no_server())
        if peer not in self._askers:
            self._askers.append(peer)
        self._link.send("/retake/list", "presets")

    def _watch(self, peer: Peer, values: tuple[osc.Value, ...], now_s: float) -> None:
        numbers = [int(value) for value in values if isinstance(value, (int, float))]
        if len(numbers) != len(values) or not 0 <= ([*numbers, 1, 0])[1] < 2**16:
            raise clips.RefusalError("watch takes 1 or 0, and perhaps a port.")
        is_on, port = (numbers + [1, 0][len(numbers) :])[:2]
        self._door.listen(peer, now_s, bool(is_on), port)

    # What is told and done a little at a time.

    def _edit(self) -> str:
        """The edit of the form, its preset's where it names one."""
        preset = str(self._form.values.get("preset", ""))
        facts = self._presets.get(preset, ())
        return facts[2] if len(facts) > 2 else str(self._form.values.get("edit", preset))

    def _source(self) -> clips.Source:
        song = self._c_instance.song()
        edit = self._edit()
        if edit == FROM_NOTHING:
            return clips.nowhere(song)
        return clips.read(song, wants_hole=edit == "inpaint")

    def _tell_progress(self) -> None:
        for job in self._jobs.open():
            if not job.is_told:
                job.is_told = True
                facts = (job.fraction, job.stage, job.seconds_left)
                self._door.tell("/retake/live/progress", job.name, *facts)
                self._show(f"Retake: {job.text}, {100 * job.fraction:.0f} % ({job.stage})")

    def _answer_presets(self) -> None:
        for peer in self._askers:
            for name, facts in self._presets.items():
                self._said.append((peer, ("/retake/live/preset", name, *facts[:3])))
            self._said.append((peer, ("/retake/live/presets", len(self._presets))))
        self._askers.clear()

    def _answer_slowly(self) -> None:
        for _ in range(min(PRESETS_A_TICK, len(self._said))):
            peer, said = self._said.popleft()
            self._door.tell(*said, to=peer)

    def _bring(self, job: Job) -> Iterator[str]:
        """A done job's takes into the set; gives where each went, "" for a pause."""
        song = self._c_instance.song()
        folder = files.take_folder(song, self._folder)
        takes: list[placing.Take] = []
        for _, take in sorted(job.takes.items()):
            title = f"Retake: {job.text} (seed {take.seed})"
            path = ""
            for path in files.copy(take.path, folder, title):
                if not path:
                    yield ""
            files.keep_recipe(path, {"model": self._model, **job.recipe(), "seed": take.seed})
            takes.append(placing.Take(path, title, take.frames / take.rate))
            yield ""  # however quick the disk is, a tick is for one take
        n, source = 0, job.source
        if takes and source.file_path and self._goes_before(job):
            added_s = max(takes[0].length_s - source.length_s, 0.0)
            source = clips.begun_earlier(source, added_s, song.tempo)
        for where in placing.place(song, source, takes):
            if where:
                self._door.tell("/retake/live/take", job.name, where, takes[n].title)
                n += 1
            yield where
        job.state = PLACED

    def _goes_before(self, job: Job) -> bool:
        """Whether what its takes have more than their source lies before that.

        The presets that were there at installation are known for it, later ones by their tag.
        """
        if "direction" in job.values:
            return job.values["direction"] == BEFORE
        preset = str(job.values.get("preset", ""))
        return preset in self._presets_before or BEFORE in self._presets.get(preset, ())[3:]

    def _work_on(self) -> None:
        """A tick's share of bringing takes in."""
        if not self._work:
            return
        job, work = self._work[0]
        try:
            where = next(work)
            if where:
                self._show(f"Retake: {job.text} is in {where}.")
            return
        except StopIteration:
            self._finish(job, PLACED, f"Retake: {job.text} is done.")
        except Exception as error:
            if not isinstance(error, (OSError, placing.PlacingError)):
                self._log(repr(error))
            paths = ", ".join(take.path for take in job.takes.values())
            text = f"Retake: {job.text} found no place: {error}. Drag it in from {paths}"
            self._finish(job, FAILED, text)
        self._work.popleft()

    def _show(self, text: str) -> None:
        self._c_instance.show_message(text)

    def _log(self, text: str) -> None:
        self._c_instance.log_message("Retake: " + os.linesep.join(text.splitlines()))
