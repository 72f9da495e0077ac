"""docs/protocol.md, written from the tables: `python -m server.routes > docs/protocol.md`."""

from __future__ import annotations

from collections.abc import Iterable

from engine.edits import Parameter
from server.messages import ANSWERS, CODES, EVENTS, NAME_RULE, REQUESTS, Argument, Route
from server.submission import OWN_KEYS, PARAMETER_KEYS

_HEAD = f"""\
# The protocol

Written by `python -m server.routes` from the tables in server/messages.py, server/submission.py and
engine/edits.py. Don't edit it by hand.

| door | for | framing |
|---|---|---|
| UDP, 127.0.0.1:9140 or the next free port | control | one OSC 1.0 packet a datagram |
| TCP 127.0.0.1:9141 or the next free port; unix socket | control and audio | see below |

Frames of a stream (up to 256 MiB) carry OSC 1.0's int32 size prefix, or SLIP (OSC 1.1) where the
connection's first byte is 0xC0; the server answers in the same framing.

A running server says in `server.conf` (`key=value` lines, mode 0600, in the state folder:
`$RETAKE_STATE_DIR`, or `retake` in the user's own) where it listens: pid, version, protocol, udp,
tcp, socket, spool, token. The state of each job also stands in `<spool>/<job>.status`; its takes
are `<spool>/<job>.<index>.wav`, float32, index 1 the best.

The token is the first argument of every request. Without it nothing is answered over UDP, and a
connection is closed. Numbers are taken from `i`, `h`, `f` and `d`; send positions as `h`. Bundles
are read in order, their time tags ignored. Names of jobs and uploads: {NAME_RULE}.
"""

_KINDS = {
    "text": "s",
    "name": "s",
    "float": "number",
    "int": "whole number",
    "choice": "s",
    "curve": "s",
}


def protocol_doc() -> str:
    """The text of docs/protocol.md."""
    parts = [_HEAD]
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
    doc = (
        "strength over time: seconds:strength pairs, as 0:0.2 1.5:0.8"
        if key.kind == "curve"
        else key.doc
    )
    return doc + _range(key)


def _range(of: Argument | Parameter) -> str:
    if of.choices:
        return f" ({', '.join(of.choices)})"
    if of.low is None or of.high is None or of.high >= 2**31 - 1:
        return ""
    return f" ({of.low:g} to {of.high:g})"


if __name__ == "__main__":
    print(protocol_doc(), end="")
