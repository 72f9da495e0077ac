"""The two families of errors: the caller's mistake, and our fault.

Every error carries a `code` of the wire protocol, so that a bridge can act on it, and a sentence
that names the value it got and what would do instead, so that a person can.
"""

from __future__ import annotations

#: Codes a caller can mend by asking differently (or by freeing what is missing).
REQUEST_CODES = (
    "bad-request",
    "unknown-key",
    "bad-value",
    "unknown-edit",
    "unknown-preset",
    "unknown-model",
    "no-such-file",
    "unreadable-audio",
    "region-outside-file",
    "too-long",
    "conflict",
    "unknown-job",
    "queue-full",
)

#: Codes that are ours to mend.
FAULT_CODES = ("out-of-memory", "out-of-disk", "worker-died", "model-unavailable", "internal")


class RetakeError(Exception):
    """Base of every error Retake raises on purpose.

    Parameters
    ----------
    code : str
        One of the protocol's codes.
    message : str
        One sentence: the value found and what would be right.
    """

    codes: tuple[str, ...] = REQUEST_CODES + FAULT_CODES

    def __init__(self, code: str, message: str) -> None:
        assert code in self.codes, f"{code!r} is not a code of {type(self).__name__}"
        super().__init__(message)
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.code, self.message)


class RequestError(RetakeError):
    """The caller's mistake: the same request will fail again."""

    codes = REQUEST_CODES


class FaultError(RetakeError):
    """Our fault, or the machine's: the same request may succeed later."""

    codes = FAULT_CODES


class CheckpointError(RetakeError):
    """A checkpoint that can't be loaded: `unknown-model` or `model-unavailable`."""

    codes = ("unknown-model", "model-unavailable")


#: How libraries say it where they have no error of its own: CUDA and MPS, torch's allocator on
#: Linux and on Windows, cuBLAS.
_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python's own, or of torch's, means that memory ran out."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _NO_MEMORY)


class Cancelled(Exception):  # noqa: N818 (it is an answer, not an error)
    """Raised by a progress callback to stop an edit; the engine lets it through untouched."""
