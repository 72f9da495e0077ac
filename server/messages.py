"""The wire's vocabulary: every address, its arguments, their types and ranges, in one table.

docs/protocol.md is written from these tables by `python -m server.routes`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.edits import PARAMETERS
from engine.errors import RequestError
from server.osc import Message, Value

PROTOCOL_VERSION = 1
MAX_CONTROL_BYTES = 65_507

#: Names that callers choose and files are named after: no separators, no leading dot.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
NAME_RULE = "1 to 64 of A-Z a-z 0-9 _ . -, starting with a letter or digit"

#: As many as an edit makes.
MAX_TAKES = int(PARAMETERS["takes"].high or 1)

LISTS = ("edits", "presets", "models", "jobs")
PRIORITIES = ("back", "front")


@dataclass(frozen=True)
class Argument:
    """One argument of a message.

    Parameters
    ----------
    name : str
    kind : str
        "text", "name" (a text that fits `NAME`), "int", "long", "float", "double" or "blob".
    doc : str
    low, high : float or None
        Bounds of a number, both included.
    choices : tuple of str
        What a text may be; empty for any.
    """

    name: str
    kind: str
    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        """The type tag this argument is sent with."""
        return _TAGS[self.kind]


_TAGS = {
    "text": "s",
    "name": "s",
    "int": "i",
    "long": "h",
    "float": "f",
    "double": "d",
    "blob": "b",
}


@dataclass(frozen=True)
class Route:
    """One address and what it carries; `rest` says what may follow the arguments."""

    address: str
    arguments: tuple[Argument, ...]
    doc: str
    answer: str = ""
    rest: str = ""
    stream_only: bool = False


def _table(*routes: Route) -> dict[str, Route]:
    return {route.address: route for route in routes}


_JOB = Argument("job", "name", "the job's name, chosen by the client")
_UPLOAD = Argument("upload", "name", "the upload's name, chosen by the client")
_INDEX = Argument("index", "int", "which take, 1 is the best", 1, MAX_TAKES)
_RATE = Argument("rate", "int", "frames a second", 8000, 192000)
_CHANNELS = Argument("channels", "int", "channels", 1, 8)
_AUDIO = Argument("audio", "blob", "float32, little-endian, interleaved")
_KIND = Argument("kind", "text", "what is listed", choices=LISTS)
_FRAMES = Argument("frames", "long", "length in frames")

#: What a client may send. On the wire the token comes before these arguments.
REQUESTS = _table(
    Route(
        "/retake/hello",
        (
            Argument("client", "text", "who is asking, for the log"),
            Argument("protocol", "int", "the protocol version the client speaks", 1, 2**31 - 1),
        ),
        "who is there",
        answer="/retake/hello",
    ),
    Route(
        "/retake/submit",
        (_JOB,),
        "queue an edit; the same job with the same content again answers with its present state",
        answer="/retake/queued, then events",
        rest="key s, value, … (the keys below)",
    ),
    Route(
        "/retake/cancel",
        (_JOB,),
        "stop a job: a queued one at once, a running one within one denoising step",
        answer="/retake/cancelled (an ended job answers with how it ended)",
    ),
    Route("/retake/status", (_JOB,), "how a job stands", answer="/retake/status"),
    Route(
        "/retake/list", (_KIND,), "what there is", answer="/retake/item for each, then /retake/end"
    ),
    Route(
        "/retake/watch",
        (Argument("on", "int", "1 starts, 0 stops", 0, 1),),
        "every job's events to this client too",
        answer="/retake/watch",
    ),
    Route(
        "/retake/narrow",
        (Argument("on", "int", "1 starts, 0 stops", 0, 1),),
        "to this client `i` instead of `h` (SuperCollider, for one, can't read `h`); `d` where a "
        "number doesn't fit",
        answer="/retake/narrow",
    ),
    Route(
        "/retake/put",
        (_UPLOAD, _RATE, _CHANNELS, _AUDIO),
        "hand over audio that lies in no file",
        answer="/retake/put",
        stream_only=True,
    ),
    Route(
        "/retake/get",
        (_JOB, _INDEX),
        "fetch a take's audio",
        answer="/retake/audio",
        stream_only=True,
    ),
)

#: What the server answers.
ANSWERS = _table(
    Route(
        "/retake/hello",
        (
            Argument("version", "text", "Retake's version"),
            Argument("protocol", "int", "the protocol version the server speaks"),
            Argument("model", "text", "the checkpoint jobs run on unless they name one"),
            Argument("device", "text", "where it runs; `starting` until the model is loaded"),
            Argument("spool", "text", "the folder takes are written to"),
        ),
        "answer to hello",
    ),
    Route(
        "/retake/queued",
        (_JOB, Argument("position", "int", "jobs before this one in the queue")),
        "the job is on disk and waits",
    ),
    Route(
        "/retake/status",
        (
            _JOB,
            Argument("state", "text", "queued, running, cancelling, done, failed or cancelled"),
            Argument("fraction", "float", "0 to 1"),
            Argument("message", "text", "the stage, or why it failed"),
        ),
        "answer to status",
    ),
    Route(
        "/retake/item",
        (
            _KIND,
            Argument("name", "text", "what to ask for"),
            Argument("description", "text", "one line"),
        ),
        "one entry of a list",
        rest="more texts: an edit's parameters; a preset's family, edit and tags; a job's state",
    ),
    Route(
        "/retake/end", (_KIND, Argument("n", "int", "how many entries there were")), "end of a list"
    ),
    Route("/retake/watch", (Argument("on", "int", "as asked"),), "answer to watch"),
    Route("/retake/narrow", (Argument("on", "int", "as asked"),), "answer to narrow"),
    Route("/retake/put", (_UPLOAD, _FRAMES), "the upload is there; submit may name it"),
    Route("/retake/audio", (_JOB, _INDEX, _RATE, _CHANNELS, _AUDIO), "answer to get"),
    Route(
        "/retake/error",
        (
            Argument("address", "text", "the request that was refused"),
            Argument("code", "text", "one of the codes below"),
            Argument("message", "text", "the value found and what would do"),
            Argument(
                "subject", "text", "the job or upload it named, empty where none could be read"
            ),
        ),
        "a request with a good token that can't be taken",
    ),
)

#: What the server says about a job while it lives.
EVENTS = _table(
    Route("/retake/started", (_JOB,), "the worker has begun"),
    Route(
        "/retake/progress",
        (
            _JOB,
            Argument("fraction", "float", "0 to 1"),
            Argument("stage", "text", "what is being done"),
            Argument("seconds_left", "float", "an estimate; -1 while unknown"),
        ),
        "at every step, and at least every 250 ms",
    ),
    Route(
        "/retake/take",
        (
            _JOB,
            _INDEX,
            Argument("path", "text", "a float32 WAV in the spool"),
            _FRAMES,
            _RATE,
            _CHANNELS,
            Argument("seed", "long", "the seed that gives this very take again"),
            Argument(
                "score",
                "float",
                "similarity, by the CLAP that judges, to the prompt, or without one to the source; "
                "NaN where nothing was judged",
            ),
        ),
        "one take is on disk",
    ),
    Route(
        "/retake/done",
        (
            _JOB,
            Argument("takes", "int", "how many takes there are"),
            Argument("seconds", "float", "how long it ran"),
        ),
        "the job ended well",
    ),
    Route(
        "/retake/fail",
        (
            _JOB,
            Argument("code", "text", "one of the codes below"),
            Argument("message", "text", "why"),
        ),
        "the job ended without takes",
    ),
    Route("/retake/cancelled", (_JOB,), "the job was stopped"),
)

#: Events after which nothing more is said about a job.
LAST_EVENTS = ("/retake/done", "/retake/fail", "/retake/cancelled")

CODES = {
    "bad-request": "the message itself is wrong: unknown address, missing or mistyped argument",
    "unknown-key": "submit carries a key the edit doesn't take",
    "bad-value": "a value out of range or of the wrong kind",
    "unknown-edit": "no such edit",
    "unknown-preset": "no such preset",
    "unknown-model": "no such checkpoint, or not one Retake can load",
    "no-such-file": "the path leads to no file",
    "unreadable-audio": "the file holds no audio that can be read",
    "region-outside-file": "the region reaches past the file",
    "too-long": "a text or a clip over the limit",
    "conflict": "the name is taken by something else",
    "unknown-job": "no job of that name, or it holds no such take",
    "queue-full": "too many jobs wait",
    "out-of-memory": "the machine's memory did not suffice; the job is lost, the server lives",
    "out-of-disk": "the disk is full",
    "worker-died": "worker or server died three times over this job",
    "model-unavailable": "the checkpoint is known but not on this machine",
    "internal": "our fault; the log has the details",
}


def build(address: str, *values: Value, more: tuple[str, ...] = ()) -> Message:
    """A message of ANSWERS or EVENTS, each value with its table's type; `more` are texts."""
    route = EVENTS.get(address) or ANSWERS[address]
    tags = "".join(argument.tag for argument in route.arguments)
    assert len(values) == len(tags), (address, values)
    assert route.rest or not more, (address, more)
    return Message(address, tags + "s" * len(more), (*values, *more))


def parse(message: Message) -> tuple[Route, dict[str, Value], tuple[Value, ...]]:
    """What a request says, its token already taken off.

    Returns
    -------
    route : Route
    values : dict
        The route's arguments by name, in their own types and inside their ranges.
    rest : tuple
        What followed them (only where the route has a rest).

    Raises
    ------
    RequestError
        `bad-request`: an unknown address, an argument missing, too many or of another type.
        `bad-value`: one out of range.
    """
    route = REQUESTS.get(message.address)
    if route is None:
        known = ", ".join(REQUESTS)
        raise RequestError(
            "bad-request", f"no address {message.address[:60]!r}; there are: {known}"
        )
    if message.fault:
        raise RequestError("bad-request", f"{route.address} can't be read: {message.fault}")
    n_wanted, n_found = len(route.arguments), len(message.args)
    if n_found < n_wanted or (n_found > n_wanted and not route.rest):
        wanted = ", ".join(argument.name for argument in route.arguments)
        raise RequestError(
            "bad-request",
            f"{route.address} has {n_found} arguments after the token; it takes: {wanted}",
        )
    values = {
        argument.name: check(argument, value)
        for argument, value in zip(route.arguments, message.args, strict=False)
    }
    return route, values, message.args[n_wanted:]


def check(argument: Argument, value: Value) -> Value:
    """The value in the argument's own type, or a RequestError naming both."""
    if argument.kind == "blob":
        if not isinstance(value, bytes):
            raise _mistyped(argument, value, "a blob")
        return value
    if argument.kind in ("text", "name"):
        return _check_text(argument, value)
    return _check_number(argument, value)


def _check_text(argument: Argument, value: Value) -> str:
    if not isinstance(value, str):
        raise _mistyped(argument, value, "a text")
    if argument.kind == "name" and not NAME.fullmatch(value):
        raise RequestError(
            "bad-value", f"{argument.name} is {shorten(value)}; it must be {NAME_RULE}"
        )
    if argument.choices and value not in argument.choices:
        choices = ", ".join(argument.choices)
        raise RequestError(
            "bad-value", f"{argument.name} is {shorten(value)}; it must be one of {choices}"
        )
    return value


def _check_number(argument: Argument, value: Value) -> int | float:
    is_whole = argument.kind in ("int", "long")
    if isinstance(value, bool):  # OSC's T and F are as good as 1 and 0
        value = int(value)
    if not isinstance(value, (int, float)) or (is_whole and not float(value).is_integer()):
        raise _mistyped(argument, value, "a whole number" if is_whole else "a number")
    low, high = argument.low, argument.high
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        raise RequestError(
            "bad-value", f"{argument.name} is {value}; it must be from {low:g} to {high:g}"
        )
    return int(value) if is_whole else float(value)


def _mistyped(argument: Argument, value: Value, want: str) -> RequestError:
    return RequestError("bad-request", f"{argument.name} is {shorten(value)}; it must be {want}")


def shorten(value: object, n_characters: int = 60) -> str:
    """A value as it may stand in a sentence, cut when long."""
    shown = repr(value[:n_characters] if isinstance(value, (str, bytes)) else value)
    return shown if len(shown) <= n_characters else shown[: n_characters - 3] + "..."
