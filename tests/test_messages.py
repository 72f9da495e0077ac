"""The vocabulary: its tables, what they let through, and the docs made from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.edits import EDITS, Hole, Inpaint
from engine.errors import FAULT_CODES, REQUEST_CODES, RequestError
from server.audience import narrowed
from server.messages import ANSWERS, CODES, EVENTS, LAST_EVENTS, REQUESTS, build, parse
from server.osc import Message, decode, encode
from server.routes import protocol_doc
from server.submission import (
    OWN_KEYS,
    PARAMETER_KEYS,
    Submission,
    parse_curve,
    parse_hole,
    parse_pairs,
)

ROOT = Path(__file__).parents[1]
SAMPLES: dict[str, Any] = {"s": "x", "i": 1, "h": 2**40, "f": 0.5, "d": 0.1, "b": b"1234"}


def test_docs_protocol_is_what_the_tables_say() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    assert page == protocol_doc(), "write it anew: python -m server.routes > docs/protocol.md"


def test_docs_name_every_address_key_and_code() -> None:
    page = protocol_doc()
    for name in (*REQUESTS, *ANSWERS, *EVENTS, *OWN_KEYS, *PARAMETER_KEYS):
        assert f"`{name}`" in page
    for code in CODES:
        assert f"| {code} |" in page


def test_every_code_is_explained() -> None:
    assert set(CODES) == {*REQUEST_CODES, *FAULT_CODES}
    assert set(LAST_EVENTS) < set(EVENTS)


@pytest.mark.parametrize("route", [*ANSWERS.values(), *EVENTS.values()], ids=lambda r: r.address)
def test_what_is_built_reads_back(route: Any) -> None:
    values = tuple(SAMPLES[argument.tag] for argument in route.arguments)
    message = build(route.address, *values, more=("y",) if route.rest else ())
    [back] = decode(encode(message))
    assert back == message


def ask(address: str, tags: str, *args: Any) -> tuple[dict[str, Any], tuple[Any, ...]]:
    _, values, rest = parse(Message(address, tags, args))
    return values, rest


def test_numbers_are_taken_from_any_type() -> None:
    for tag, value in (("i", 1), ("h", 1), ("f", 1.0), ("d", 1.0), ("T", True)):
        values, _ = ask("/retake/watch", tag, value)
        assert values == {"on": 1}
        assert type(values["on"]) is int


@pytest.mark.parametrize(
    ("address", "tags", "args", "code"),
    [
        ("/retake/nothing", "", (), "bad-request"),
        ("/retake/hello", "s", ("me",), "bad-request"),
        ("/retake/hello", "sis", ("me", 1, "x"), "bad-request"),
        ("/retake/hello", "ii", (1, 1), "bad-request"),
        ("/retake/hello", "ss", ("me", "1"), "bad-request"),
        ("/retake/hello", "sd", ("me", 1.5), "bad-request"),
        ("/retake/hello", "sd", ("me", float("nan")), "bad-request"),
        ("/retake/hello", "sd", ("me", float("inf")), "bad-request"),
        ("/retake/hello", "si", ("me", 0), "bad-value"),
        ("/retake/watch", "i", (2,), "bad-value"),
        ("/retake/list", "s", ("files",), "bad-value"),
        ("/retake/status", "s", ("../x",), "bad-value"),
        ("/retake/status", "s", ("x\n",), "bad-value"),
        ("/retake/put", "siis", ("u", 44100, 2, "no blob"), "bad-request"),
        ("/retake/put", "siib", ("u", 4000, 2, b"1234"), "bad-value"),
        ("/retake/put", "siib", ("u", 44100, 9, b"1234"), "bad-value"),
    ],
)
def test_what_does_not_fit_the_table_is_refused(
    address: str, tags: str, args: tuple[Any, ...], code: str
) -> None:
    with pytest.raises(RequestError) as caught:
        ask(address, tags, *args)
    assert caught.value.code == code


def test_whole_numbers_in_32_bits_for_who_cannot_read_more() -> None:
    take = build("/retake/take", "j", 1, "/j.1.wav", 2**31 - 1, 48000, 2, 2**31, 0.5)
    narrow = narrowed(take)
    assert (take.tags, narrow.tags) == ("sishiihf", "sisiiidf")
    assert decode(encode(narrow))[0].args == take.args
    assert narrowed(build("/retake/started", "j")) == build("/retake/started", "j")
    assert narrowed(build("/retake/put", "u", -(2**31))).tags == "si"
    assert narrowed(build("/retake/put", "u", -(2**31) - 1)).tags == "sd"


def test_equal_requests_have_one_text_however_spelled() -> None:
    pairs = ("edit", "transfer", "path", "/c.wav", "strength", 0.6, "seed", 3, "start", 10)
    other = ("start", 10.0, "seed", 3.0, "strength", 0.6, "path", "/c.wav", "edit", "transfer")
    assert parse_pairs(pairs).to_json() == parse_pairs(other).to_json()
    assert parse_pairs(pairs).to_json() != parse_pairs((*pairs, "takes", 2)).to_json()


@pytest.mark.parametrize("name", EDITS)
def test_submissions_read_back(name: str) -> None:
    pairs: tuple[Any, ...] = ("edit", name, "prompt", "emoji 🙂", "priority", "front")
    pairs += () if name == "generate" else ("path", "/c.wav", "frames", 2**40)
    if name == "inpaint":
        pairs += ("hole", "0:10", "hole", "20:5:100:2000")
    if name == "transfer":
        pairs += ("curve", "0:0.2 1.5:0.8")
    submission = parse_pairs(pairs)
    again = Submission.from_json(submission.to_json())
    assert again == submission
    assert again.to_json() == submission.to_json()
    assert json.loads(submission.to_json())["edit"] == name


def test_holes_are_gathered_in_order() -> None:
    submission = parse_pairs(("edit", "inpaint", "path", "/c", "hole", "5:6", "hole", "1:2:100:"))
    assert isinstance(submission.edit, Inpaint)
    assert submission.edit.holes == (Hole(5, 6), Hole(1, 2, 100.0, None))


@pytest.mark.parametrize(
    "text",
    ["", "1", "1:2:3", "1:2:3:4:5", "a:b", "1.5:2", "-1:2", "1:0", "1:2:500:100", "1:2:nan:"],
)
def test_holes_that_read_wrong_are_refused(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_hole(text)
    assert caught.value.code == "bad-value"


def test_curves() -> None:
    assert parse_curve("0:0.2 1.5:0.8") == ((0.0, 0.2), (1.5, 0.8))
    for text in ("0", "0:1:2", "a:1", "0:0.2,1:0.3"):
        with pytest.raises(RequestError, match="it must read like"):
            parse_curve(text)


@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        (("edit",), "bad-request"),
        ((3, "transfer"), "bad-request"),
        (("edit", "transfer", "edit", "vary"), "bad-value"),
        (("edit", "transfer", "path", "/c", "prompt", 3), "bad-value"),
        (("edit", "transfer", "path", "/c", "strength", "0.5"), "bad-value"),
        (("edit", "transfer", "path", "/c", "strength", float("nan")), "bad-value"),
        (("edit", "transfer", "path", "/c", "seed", 1.5), "bad-value"),
        (("edit", "transfer", "path", "/c", "sampler", "euler"), "bad-value"),
        (("edit", "transfer", "path", "/c", "priority", "urgent"), "bad-value"),
        (("edit", "transfer", "path", "/c", "frames", 0), "bad-value"),
        (("edit", "transfer", "path", "/c", "x" * 10**6, 1), "unknown-key"),
        (("edit", "transfer", "path", b"/c"), "bad-request"),
        (("edit", 3, "path", "/c"), "bad-request"),
        (("edit", "inpaint", "path", "/c"), "bad-value"),
        (("edit", "transfer", "path", "/c", "hole", "0:1"), "unknown-key"),
        (("edit", "transfer", "path", "/c", "curve", b"x"), "bad-value"),
    ],
)
def test_submissions_that_cannot_be_are_refused(pairs: tuple[Any, ...], code: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_pairs(pairs)
    assert caught.value.code == code
    assert len(caught.value.message) < 700
