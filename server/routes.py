"""docs/protocol.md, written from the tables: `python -m server.routes > docs/protocol.md`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.edits import Parameter
from server.messages import ANSWERS, CODES, EVENTS, NAME_RULE, REQUESTS, Argument, Route
from server.spool import (
    ANSWER_SUFFIX,
    MAX_REQUEST_BYTES,
    REQUEST_SUFFIX,
    REQUESTABLE,
    STATUS_SUFFIX,
)
from server.submission import OWN_KEYS, PARAMETER_KEYS

_HEAD = f"""\
# The protocol

Written by `python -m server.routes` from the tables in server/messages.py, server/submission.py and
engine/edits.py. Don't edit it by hand.

| door | for | framing |
|---|---|---|
| UDP, 127.0.0.1:9140 or the next free port | control | one OSC 1.0 packet a datagram |
| TCP 127.0.0.1:9141 or the next free port; unix socket | control and audio | see below |
| the spool folder | hosts without sockets | `key=value` text files, see [The spool](#the-spool) |

Frames of a stream (up to 256 MiB) carry OSC 1.0's int32 size prefix, or SLIP (OSC 1.1) where the
connection's first byte is 0xC0; the server answers in the same framing.

A running server says in `server.conf` (`key=value` lines, mode 0600, in the state folder:
`$RETAKE_STATE_DIR`, or `retake` in the user's own) where it listens: pid, version, protocol, udp,
tcp, socket, spool, token. The state of each job, whichever door it came by, also stands in
`<spool>/<job>.status`; its takes are `<spool>/<job>.<index>.wav`, float32, index 1 the best.

The token is the first argument of every request. Without it nothing is answered over UDP, and a
connection is closed. Numbers are taken from `i`, `h`, `f` and `d`; send positions as `h`. A client
that can't read `h` says so once with `/retake/narrow`. Bundles are read in order, their time tags
ignored. Names of jobs and uploads: {NAME_RULE}.
"""

_SPOOL = f"""\
A client that can only write and read files leaves `<name>{REQUEST_SUFFIX}` in the spool, and
the server takes it away once it is answered (on Linux it is told of each file, elsewhere it looks
twenty times a second). Write it under a name that begins with a dot and rename it, so that no half
of it is ever read. UTF-8, `key=value` lines,
at most {MAX_REQUEST_BYTES} bytes; empty lines and lines that begin with # are passed over. There is
no token: the folder (mode 0700) is the right.

```
request=submit
client=audacity
edit=transfer
path=/clips/door.wav
start=44100
frames=88200
prompt=rain on a tin roof
```

`client=` says who asks; each client has its own turn in the queue. `request=` is `submit` if not
given. The job is called as the file is.

| request | further keys | answer |
|---|---|---|
{{rows}}

`<job>{STATUS_SUFFIX}` is replaced whole, at least every 250 ms while the job runs:

| key | what it is |
|---|---|
| `job` | its name |
| `state` | queued, running, cancelling, done, failed, cancelled; or refused: it became no job |
| `fraction` `stage` `seconds_left` | how far it is; seconds_left is -1 while unknown |
| `take` | index, frames, rate, channels, seed, score, path, one space between; a line a take |
| `code` `message` | why it failed or was refused |
| `refused` | code and message: a later request under this job's name that was not taken |

`<name>{ANSWER_SUFFIX}` holds `item=` lines (name, description and more, tabs between) or hello's
`version=` `protocol=` `model=` `device=` `spool=`, and is whole: its last line is `end=`.

Refused, with `state=refused` where the name allows a status file: links (soft and hard), pipes and
folders, other users' files, files that are too large or no UTF-8, names that are no job names, and
requests left over an hour ago without a server. What a link leads to is neither read nor removed.
"""

_SPOOL_ANSWERS = {
    "submit": f"`<job>{STATUS_SUFFIX}`",
    "cancel": f"`<job>{STATUS_SUFFIX}`",
    "status": f"`<job>{STATUS_SUFFIX}`, written anew where it is gone",
    "list": f"`<name>{ANSWER_SUFFIX}`",
    "hello": f"`<name>{ANSWER_SUFFIX}`",
}

_KINDS = {
    "text": "s",
    "name": "s",
    "float": "number",
    "int": "whole number",
    "choice": "s",
    "curve": "s",
    "prompts": "s",
    "mask": "s",
    "around": "s",
}

#: How parameters that aren't one number or word are written.
_FORMS = {
    "curve": "strength over time: seconds:strength pairs, as 0:0.2 1.5:0.8",
    "prompts": "texts over time, each going over into the next: `0: light rain \\| 2.5: thunder`",
    "mask": "strength over time and frequency: the path of a .png or .npy, or points "
    "seconds:hz:strength, as 0:1000:0.2 2:1000:1",
    "around": "a take that new ones are to be like: job:index, whose clip, edit and parameters "
    "hold where nothing else is given; or its seed",
}


def protocol_doc() -> str:
    """The text of docs/protocol.md."""
    parts = [_HEAD]
    parts.append(
        _section("The spool", [_SPOOL.replace("{rows}", "\n".join(_spool_rows())).rstrip()])
    )
    parts.append(_section("Requests", _route_rows(REQUESTS.values(), token=True)))
    parts.append(_section("Answers", _route_rows(ANSWERS.values())))
    parts.append(_section("Events", _route_rows(EVENTS.values())))
    parts.append(_section("Keys of submit", _key_rows()))
    codes = [f"| {code} | {doc} |" for code, doc in CODES.items()]
    parts.append(_section("Codes", ["| code | when |", "|---|---|", *codes]))
    return "\n".join(parts)


def _section(title: str, rows: Iterable[str]) -> str:
    return "\n".join([f"## {title}", "", *rows, ""])


def _route_rows(routes: Iterable[Route], token: bool = False) -> list[str]:
    rows = ["| address | arguments | what it is |", "|---|---|---|"]
    for route in routes:
        arguments = ["token s"] if token else []
        arguments += [_argument(argument) for argument in route.arguments]
        arguments += [route.rest] if route.rest else []
        doc = route.doc + (" (stream only)" if route.stream_only else "")
        doc += f". Answer: {route.answer}" if route.answer else ""
        rows.append(f"| `{route.address}` | {'; '.join(arguments)} | {doc} |")
    return rows


def _spool_rows() -> Iterator[str]:
    for request, keys in REQUESTABLE.items():
        shown = "the keys of submit" if request == "submit" else ", ".join(keys)
        yield f"| `{request}` | {shown} | {_SPOOL_ANSWERS[request]} |"


def _argument(argument: Argument) -> str:
    return f"{argument.name} {argument.tag}: {argument.doc}{_range(argument)}"


def _key_rows() -> list[str]:
    rows = ["| key | type | what it is |", "|---|---|---|"]
    for own in OWN_KEYS.values():
        rows.append(f"| `{own.name}` | {own.tag} | {own.doc}{_range(own)} |")
    for key in PARAMETER_KEYS.values():
        rows.append(f"| `{key.name}` | {_KINDS[key.kind]} | {_parameter(key)} |")
    return rows


def _parameter(key: Parameter) -> str:
    return _FORMS.get(key.kind, key.doc) + _range(key)


def _range(of: Argument | Parameter) -> str:
    if of.choices:
        return f" ({', '.join(of.choices)})"
    if of.low is None or of.high is None or of.high >= 2**31 - 1:
        return ""
    return f" ({of.low:g} to {of.high:g})"


if __name__ == "__main__":
    print(protocol_doc(), end="")
