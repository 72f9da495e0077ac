"""Every message of the protocol beside its bytes; written with python-osc, and looked over.

The tests hold our encoder and decoder against them, so that neither can change what is on the wire.
"""

from __future__ import annotations

from server.osc import Message

TOKEN = "0123456789abcdef" * 2
TOKEN_BYTES = TOKEN.encode() + bytes(4)

#: What clients send.
REQUESTS: list[tuple[Message, bytes]] = [
    (
        Message("/retake/hello", "ssi", (TOKEN, "reaper", 1)),
        b"/retake/hello\0\0\0" + b",ssi\0\0\0\0" + TOKEN_BYTES + b"reaper\0\0" + b"\0\0\0\x01",
    ),
    (
        Message(
            "/retake/submit",
            "ssssssshsdsf",
            (
                TOKEN,
                "job-1",
                "edit",
                "transfer",
                "path",
                "/clips/door.wav",
                "start",
                8589934592,
                "strength",
                0.1,
                "guidance",
                2.5,
            ),
        ),
        b"/retake/submit\0\0"
        + b",ssssssshsdsf\0\0\0"
        + TOKEN_BYTES
        + b"job-1\0\0\0"
        + b"edit\0\0\0\0"
        + b"transfer\0\0\0\0"
        + b"path\0\0\0\0"
        + b"/clips/door.wav\0"
        + b"start\0\0\0"
        + b"\0\0\0\x02\0\0\0\0"
        + b"strength\0\0\0\0"
        + b"?\xb9\x99\x99\x99\x99\x99\x9a"
        + b"guidance\0\0\0\0"
        + b"@ \0\0",
    ),
    (
        Message("/retake/cancel", "ss", (TOKEN, "job-1")),
        b"/retake/cancel\0\0" + b",ss\0" + TOKEN_BYTES + b"job-1\0\0\0",
    ),
    (
        Message("/retake/status", "ss", (TOKEN, "job-1")),
        b"/retake/status\0\0" + b",ss\0" + TOKEN_BYTES + b"job-1\0\0\0",
    ),
    (
        Message("/retake/list", "ss", (TOKEN, "edits")),
        b"/retake/list\0\0\0\0" + b",ss\0" + TOKEN_BYTES + b"edits\0\0\0",
    ),
    (
        Message("/retake/watch", "sT", (TOKEN, True)),
        b"/retake/watch\0\0\0" + b",sT\0" + TOKEN_BYTES,
    ),
    (
        Message("/retake/narrow", "sh", (TOKEN, 1)),
        b"/retake/narrow\0\0" + b",sh\0" + TOKEN_BYTES + b"\0\0\0\0\0\0\0\x01",
    ),
    (
        Message(
            "/retake/put",
            "ssiib",
            (TOKEN, "up", 48000, 2, b"\x00\x00\x00\x00\x00\x00\x80?\x00\x00\x80\xbf\x00\x00\x00?"),
        ),
        b"/retake/put\0"
        + b",ssiib\0\0"
        + TOKEN_BYTES
        + b"up\0\0"
        + b"\0\0\xbb\x80"
        + b"\0\0\0\x02"
        + b"\0\0\0\x10"
        + b"\0\0\0\0\0\0\x80?\0\0\x80\xbf\0\0\0?",
    ),
    (
        Message("/retake/get", "ssi", (TOKEN, "job-1", 2)),
        b"/retake/get\0" + b",ssi\0\0\0\0" + TOKEN_BYTES + b"job-1\0\0\0" + b"\0\0\0\x02",
    ),
]
#: What the server answers.
ANSWERS: list[tuple[Message, bytes]] = [
    (
        Message("/retake/hello", "sisss", ("0.1.0", 1, "pocket", "cpu", "/spool")),
        b"/retake/hello\0\0\0"
        + b",sisss\0\0"
        + b"0.1.0\0\0\0"
        + b"\0\0\0\x01"
        + b"pocket\0\0"
        + b"cpu\0"
        + b"/spool\0\0",
    ),
    (
        Message("/retake/queued", "si", ("job-1", 3)),
        b"/retake/queued\0\0" + b",si\0" + b"job-1\0\0\0" + b"\0\0\0\x03",
    ),
    (
        Message("/retake/status", "ssfs", ("job-1", "running", 0.25, "denoising")),
        b"/retake/status\0\0"
        + b",ssfs\0\0\0"
        + b"job-1\0\0\0"
        + b"running\0"
        + b">\x80\0\0"
        + b"denoising\0\0\0",
    ),
    (
        Message("/retake/item", "sssss", ("edits", "loop", "without a click", "seam", "prompt")),
        b"/retake/item\0\0\0\0"
        + b",sssss\0\0"
        + b"edits\0\0\0"
        + b"loop\0\0\0\0"
        + b"without a click\0"
        + b"seam\0\0\0\0"
        + b"prompt\0\0",
    ),
    (
        Message("/retake/end", "si", ("edits", 7)),
        b"/retake/end\0" + b",si\0" + b"edits\0\0\0" + b"\0\0\0\x07",
    ),
    (
        Message("/retake/watch", "i", (1,)),
        b"/retake/watch\0\0\0" + b",i\0\0" + b"\0\0\0\x01",
    ),
    (
        Message("/retake/narrow", "i", (0,)),
        b"/retake/narrow\0\0" + b",i\0\0" + b"\0\0\0\0",
    ),
    (
        Message("/retake/put", "sh", ("up", 2)),
        b"/retake/put\0" + b",sh\0" + b"up\0\0" + b"\0\0\0\0\0\0\0\x02",
    ),
    (
        Message("/retake/audio", "siiib", ("job-1", 1, 48000, 1, b"\x00\x00\x80\xbe")),
        b"/retake/audio\0\0\0"
        + b",siiib\0\0"
        + b"job-1\0\0\0"
        + b"\0\0\0\x01"
        + b"\0\0\xbb\x80"
        + b"\0\0\0\x01"
        + b"\0\0\0\x04"
        + b"\0\0\x80\xbe",
    ),
    (
        Message(
            "/retake/error", "ssss", ("/retake/get", "unknown-job", "no job is called 'x'", "x")
        ),
        b"/retake/error\0\0\0"
        + b",ssss\0\0\0"
        + b"/retake/get\0"
        + b"unknown-job\0"
        + b"no job is called 'x'\0\0\0\0"
        + b"x\0\0\0",
    ),
]
#: What it says of jobs.
EVENTS: list[tuple[Message, bytes]] = [
    (
        Message("/retake/started", "s", ("job-1",)),
        b"/retake/started\0" + b",s\0\0" + b"job-1\0\0\0",
    ),
    (
        Message("/retake/progress", "sfsf", ("job-1", 0.5, "denoising", -1.0)),
        b"/retake/progress\0\0\0\0"
        + b",sfsf\0\0\0"
        + b"job-1\0\0\0"
        + b"?\0\0\0"
        + b"denoising\0\0\0"
        + b"\xbf\x80\0\0",
    ),
    (
        Message(
            "/retake/take",
            "sishiihf",
            ("job-1", 1, "/spool/job-1.1.wav", 8589934593, 44100, 2, 1099511627776, 0.75),
        ),
        b"/retake/take\0\0\0\0"
        + b",sishiihf\0\0\0"
        + b"job-1\0\0\0"
        + b"\0\0\0\x01"
        + b"/spool/job-1.1.wav\0\0"
        + b"\0\0\0\x02\0\0\0\x01"
        + b"\0\0\xacD"
        + b"\0\0\0\x02"
        + b"\0\0\x01\0\0\0\0\0"
        + b"?@\0\0",
    ),
    (
        Message("/retake/done", "sif", ("job-1", 2, 1.5)),
        b"/retake/done\0\0\0\0" + b",sif\0\0\0\0" + b"job-1\0\0\0" + b"\0\0\0\x02" + b"?\xc0\0\0",
    ),
    (
        Message("/retake/fail", "sss", ("job-1", "no-such-file", "/a.wav does not exist")),
        b"/retake/fail\0\0\0\0"
        + b",sss\0\0\0\0"
        + b"job-1\0\0\0"
        + b"no-such-file\0\0\0\0"
        + b"/a.wav does not exist\0\0\0",
    ),
    (
        Message("/retake/cancelled", "s", ("job-1",)),
        b"/retake/cancelled\0\0\0" + b",s\0\0" + b"job-1\0\0\0",
    ),
]

#: Request files of the spool, and the message each stands for.
SPOOL_REQUESTS: list[tuple[bytes, Message]] = [
    (
        b"edit=transfer\npath=/clips/door.wav\nstart=8589934592\nstrength=0.1\n",
        Message(
            "/retake/submit",
            "",
            *(
                (
                    "job-1",
                    "edit",
                    "transfer",
                    "path",
                    "/clips/door.wav",
                    "start",
                    2**33,
                    "strength",
                    0.1,
                ),
            ),
        ),
    ),
    (
        b"\xef\xbb\xbfrequest=submit\r\nclient=audacity\r\n\r\n# by hand\r\n"
        b"edit=generate\r\nprompt= r\xc3\xa4in = \r\nseed=-0\r\n",
        Message(
            "/retake/submit",
            "",
            ("job-1", "edit", "generate", "prompt", " r\u00e4in = ", "seed", 0),
        ),
    ),
    (b"request=cancel\n", Message("/retake/cancel", "", ("job-1",))),
    (b"request = status", Message("/retake/status", "", ("job-1",))),
    (b"request=list\nkind=edits\n", Message("/retake/list", "s", ("edits",))),
    (b"request=hello\n", Message("/retake/hello", "si", ("spool host", 1))),
]
