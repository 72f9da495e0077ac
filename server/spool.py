"""The spool folder's language: names of files there, and texts to messages and back. No I/O.

A host without sockets puts `<name>.request` there (`key=value` lines, written beside and renamed)::

    request=submit          one of REQUESTABLE; submit if not given
    client=audacity         who asks; each client has its own turn in the queue
    edit=transfer           the rest are the keys of submit, as text
    path=/clips/door.wav
    prompt=rain on a tin roof

The job is called as the file is. How it stands is in `<job>.status`, replaced whole at each change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine.errors import RequestError
from server.jobs import Job
from server.messages import MAX_CONTROL_BYTES, NAME, NAME_RULE, PROTOCOL_VERSION, shorten
from server.osc import Message, Value
from server.submission import OWN_KEYS, PARAMETER_KEYS

REQUEST_SUFFIX, STATUS_SUFFIX, ANSWER_SUFFIX = ".request", ".status", ".answer"
MAX_REQUEST_BYTES = MAX_CONTROL_BYTES

#: What a request file may ask for, and the keys it takes besides `request` and `client`.
REQUESTABLE: dict[str, tuple[str, ...]] = {
    "submit": (*OWN_KEYS, *PARAMETER_KEYS),
    "cancel": (),
    "status": (),
    "list": ("kind",),
    "hello": (),
}
#: Answers that stand in `<name>.answer`; all else about a job stands in its status file.
ANSWERED_APART = ("/retake/hello", "/retake/item", "/retake/end")


def take_path(spool: Path, job: str, index: int) -> Path:
    """Where a job's take lies; index 1 is the best."""
    return spool / f"{job}.{index}.wav"


def take_job(file_name: str) -> str:
    """The job a take's file name belongs to; empty where it is no take's."""
    job, dot, index = file_name.removesuffix(".wav").rpartition(".")
    return job if dot and file_name.endswith(".wav") and index.isdecimal() else ""


def upload_path(spool: Path, upload: str) -> Path:
    """Where audio lies that a client put."""
    return spool / "uploads" / f"{upload}.wav"


def status_path(spool: Path, job: str) -> Path:
    """The file that tells hosts without sockets how a job stands."""
    return spool / f"{job}.status"


def answer_path(spool: Path, name: str) -> Path:
    """The file that answers a request which is about no job."""
    return spool / f"{name}{ANSWER_SUFFIX}"


def status_text(
    job: Job,
    progress: tuple[float, str, float] = (0.0, "", -1.0),
    refusal: tuple[str, str] | None = None,
) -> str:
    """A status file: `key=value` lines, values on one line each.

    `take=` may repeat: index, frames, rate, channels, seed, score and path, one space between them.
    `refused=` (code, message) says that a later request under the job's name was not taken.
    """
    fraction, stage, seconds_left = progress
    lines = [("job", job.name), ("state", job.state.value)]
    lines += [
        ("fraction", f"{fraction:.4f}"),
        ("stage", stage),
        ("seconds_left", f"{seconds_left:.2f}"),
    ]
    for take in job.takes:
        score = "nan" if take.score is None else f"{take.score:.6f}"
        numbers = (take.index, take.frames, take.rate, take.channels, take.seed, score)
        lines.append(("take", " ".join((*map(str, numbers), take.path))))
    if job.code:
        lines += [("code", job.code), ("message", job.message)]
    if refusal:
        lines.append(("refused", " ".join(refusal)))
    return write_lines(lines)


def refusal_text(name: str, code: str, message: str) -> str:
    """The status file of a request that became no job."""
    lines = [("job", name), ("state", "refused"), ("code", code), ("message", message)]
    return write_lines(lines)


@dataclass(frozen=True)
class SpoolRequest:
    """A request file read: who asks, and the message it stands for, without a token."""

    client: str
    message: Message


def parse_request(name: str, data: bytes) -> SpoolRequest:
    """The request a file called `<name>.request` makes.

    Raises
    ------
    RequestError
        `bad-request`: not UTF-8 text, an unknown request or a line without `=`; `bad-value`: a name
        no job may have; `unknown-key`. The values of submit are checked where all submits are.
    """
    if not NAME.fullmatch(name):
        raise RequestError("bad-value", f"the request is called {shorten(name)}; use {NAME_RULE}")
    own, pairs = _split(_decode(data))
    kind = own.get("request", "submit")
    if kind not in REQUESTABLE:
        known = ", ".join(REQUESTABLE)
        raise RequestError("bad-request", f"request is {shorten(kind)}; it must be one of {known}")
    for key, _ in pairs:
        if key not in REQUESTABLE[kind]:
            known = ", ".join(REQUESTABLE[kind]) or "none"
            raise RequestError(
                "unknown-key", f"{kind} takes no key {shorten(key)}; it takes: {known}"
            )
    client = f"spool {' '.join(own.get('client', 'host').split())[:40]}"
    return SpoolRequest(client, _message(kind, name, client, pairs))


def answer_lines(message: Message) -> list[tuple[str, str]]:
    """What an answer of ANSWERED_APART adds to its file; `end=` is the last line."""
    if message.address == "/retake/hello":
        keys = ("version", "protocol", "model", "device", "spool")
        pairs = [(key, str(value)) for key, value in zip(keys, message.args, strict=True)]
        return [*pairs, ("end", "1")]
    if message.address == "/retake/item":
        return [("item", "\t".join(str(value) for value in message.args[1:]))]
    return [("end", str(message.args[-1]))]


def _decode(data: bytes) -> list[tuple[str, str]]:
    if len(data) > MAX_REQUEST_BYTES:
        raise RequestError(
            "bad-request", f"the request is longer than {MAX_REQUEST_BYTES} bytes; say less"
        )
    try:
        text = data.decode("utf-8-sig")  # some editors put a byte order mark before it
    except UnicodeDecodeError as error:
        raise RequestError(
            "bad-request", f"the request isn't UTF-8 text (byte {error.start}); write it as UTF-8"
        ) from None
    if "\0" in text:
        raise RequestError("bad-request", "the request holds a zero byte; write it as UTF-8 text")
    for line in text.splitlines():
        if line.strip() and not line.startswith("#") and "=" not in line:
            raise RequestError("bad-request", f"line {shorten(line)} must read key=value")
    return read_lines(text)


def _split(pairs: list[tuple[str, str]]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    own = {key: value.strip() for key, value in pairs if key in ("request", "client")}
    return own, [(key, value) for key, value in pairs if key not in own]


def _message(kind: str, name: str, client: str, pairs: list[tuple[str, str]]) -> Message:
    if kind == "hello":
        return Message("/retake/hello", "si", (client, PROTOCOL_VERSION))
    if kind == "list":
        return Message("/retake/list", "s", (dict(pairs).get("kind", "").strip(),))
    args: list[Value] = [name]
    for key, text in pairs:
        args += [key, _value(key, text)]
    return Message(f"/retake/{kind}", "", tuple(args))


def _value(key: str, text: str) -> Value:
    """A submit value in its own type; what can't be read stays text, and is refused by submit."""
    kind = (OWN_KEYS.get(key) or PARAMETER_KEYS[key]).kind
    if kind not in ("int", "long", "float", "double"):
        return text
    try:
        number = int(text)
    except ValueError:
        return _float_or_text(text)
    return number if abs(number) < 2**63 else text  # as wide as the wire


def _float_or_text(text: str) -> Value:
    try:
        return float(text)
    except ValueError:
        return text


def write_lines(lines: Iterable[tuple[str, str]]) -> str:
    """`key=value` lines; line ends inside a value become spaces."""
    return "".join(f"{key}={' '.join(value.splitlines())}\n" for key, value in lines)


def read_lines(text: str) -> list[tuple[str, str]]:
    """The pairs of `key=value` lines, in order; empty lines and # lines are passed over."""
    pairs = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            key, _, value = line.partition("=")
            pairs.append((key.strip(), value))
    return pairs
