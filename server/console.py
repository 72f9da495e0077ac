"""What `retake serve` shows: log lines, as text or JSON, and a status line on a terminal."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import time
from typing import IO

CLEAR_LINE = "\r\x1b[K"
#: What a client says may reach the log: it must not forge lines there, nor speak to the terminal.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_CONTROLS |= {0x2028: "\\u2028", 0x2029: "\\u2029"}


class TextFormatter(logging.Formatter):
    """`14:02:11 job a1: done`; warnings and worse are named."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        """One line."""
        message = record.message.translate(_CONTROLS)
        if record.levelno > logging.INFO:
            message = f"{record.levelname.lower()}: {message}"
        return f"{record.asctime} {message}"


class JsonFormatter(logging.Formatter):
    """One object a line: time (ISO 8601, UTC), level, logger, message; trace where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class Console(logging.Handler):
    """Writes log lines and, on a terminal, keeps a status line under them.

    Parameters
    ----------
    stream : text file
    is_json : bool
        Log lines as JSON; there is no status line then.
    """

    def __init__(self, stream: IO[str] | None = None, is_json: bool = False) -> None:
        super().__init__()
        self._stream = stream or sys.stderr
        self.is_live = self._stream.isatty() and not is_json
        self._status = ""
        self.setFormatter(JsonFormatter() if is_json else TextFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Write a log line over the status line, and that again below it."""
        try:
            line = self.format(record)
            if self.is_live:
                line = f"{CLEAR_LINE}{line}\n{self._status}"
            else:
                line += "\n"
            self._stream.write(line)
            self._stream.flush()
        except Exception:
            self.handleError(record)

    def show(self, status: str) -> None:
        """Replace the status line; nothing where there is no terminal."""
        status = status.translate(_CONTROLS)[: shutil.get_terminal_size().columns - 1]
        if self.is_live and status != self._status:
            self.acquire()
            try:
                self._status = status
                self._stream.write(f"{CLEAR_LINE}{status}")
                self._stream.flush()
            finally:
                self.release()

    def close(self) -> None:
        """Leave the terminal's line clean."""
        self.show("")
        super().close()
