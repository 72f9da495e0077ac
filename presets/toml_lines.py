"""On which line of a TOML file each key stands: `tomllib` reads values but forgets their places."""

from __future__ import annotations

import re
import tomllib

from presets.mistakes import KeyPath

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_SCALAR = re.compile(r"[^,\]}#\n]*")
_STRINGS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r'"""(?:\\.|[^\\])*?"{3,5}',
        r"'''.*?'{3,5}",
        r'"(?:\\.|[^"\\])*"',
        r"'[^']*'",
    )
)


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of every key, table and array element.

    Parameters
    ----------
    text : str
        What `tomllib` reads without complaint; the empty text has no keys.
    """
    return _Scanner(text.replace("\r\n", "\n")).lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._table: KeyPath = ()
        self._counts: dict[KeyPath, int] = {}  # tables so far of every [[array]]
        self.lines: dict[KeyPath, int] = {}
        self._skip(_BLANK)
        while self._at < len(self._text):
            self._statement()
            self._skip(_BLANK)

    def _statement(self) -> None:
        if self._text[self._at] == "[":
            self._header()
        else:
            self._pair(self._table)

    def _header(self) -> None:
        line, is_array = self._line(), self._text.startswith("[[", self._at)
        self._at += 1 + is_array
        path: KeyPath = ()
        keys = self._keys()
        for depth, key in enumerate(keys):
            path = (*path, key)
            self.lines.setdefault(path, line)
            if is_array and depth == len(keys) - 1:
                self._counts[path] = self._counts.get(path, -1) + 1
            if path in self._counts:
                path = (*path, self._counts[path])
        self._at += 1 + is_array
        self.lines.setdefault(path, line)
        self._table = path

    def _pair(self, table: KeyPath) -> None:
        line = self._line()
        keys = self._keys()
        self._at += 1  # the equals sign
        for depth in range(1, len(keys) + 1):
            self.lines.setdefault((*table, *keys[:depth]), line)
        self._value((*table, *keys))

    def _value(self, path: KeyPath) -> None:
        self._skip(_SPACE)
        first = self._text[self._at]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        elif first in "\"'":
            self._string()
        else:
            self._skip(_SCALAR)

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        self._skip(_BLANK)
        while self._text[self._at] != "]":
            self.lines.setdefault((*path, index), self._line())
            self._value((*path, index))
            index += 1
            self._comma()
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        self._skip(_BLANK)
        while self._text[self._at] != "}":
            self._pair(path)
            self._comma()
        self._at += 1

    def _comma(self) -> None:
        self._skip(_BLANK)
        self._at += self._text[self._at] == ","
        self._skip(_BLANK)

    def _keys(self) -> list[str]:
        """The parts of a dotted key; what follows it is next."""
        keys = []
        while True:
            self._skip(_SPACE)
            quoted = self._text[self._at] in "\"'"
            part = self._string() if quoted else self._skip(_BARE)
            keys.append(tomllib.loads(f"x = {part}")["x"] if quoted else part)
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return keys
            self._at += 1

    def _string(self) -> str:
        for pattern in _STRINGS:
            found = pattern.match(self._text, self._at)
            if found:
                self._at = found.end()
                return found.group()
        raise AssertionError("tomllib let an unfinished string through")

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        assert found is not None
        self._at = found.end()
        return found.group()

    def _line(self) -> int:
        return self._text.count("\n", 0, self._at) + 1
