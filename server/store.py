"""The SQLite file that jobs are kept in: opened, made durable, saved from damage.

Commits go into the write-ahead log without waiting for the disk (`synchronous = NORMAL`): what is
committed outlives a killed server. `sync` makes it outlive a power cut, for all that was committed
before it in one go, and may be called from any thread; SQLite's own way costs three times as much
for each commit and holds up the loop that answers clients.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from engine.durable import bring_to_disk
from engine.errors import FaultError

LOCKED_S = 2.0  # at the start: another program may be looking at the file
BUSY_MS = 250  # later on: clients wait meanwhile
#: Pages (of 4 KiB) in the log above which nobody may write until it is written back into the file:
#: under a load without end it would never shrink.
FULL_LOG_PAGES = 16_000
#: The log's first so many bytes are laid out at the start: writing over what is there reaches the
#: disk sooner than making a file longer, and what ends on a full disk can still be written down.
LOG_BYTES = 4 * 2**20

#: What the file is like; to be raised with each change of the schema that older servers can't read.
#: Files from before it was written down have 0, and are like 1.
VERSION = 1

CACHE_KIB = 512

Row = tuple[Any, ...]


class Store:
    """One SQLite file, and its log.

    Parameters
    ----------
    path : Path
        A file that is no database (any more) is moved aside as `<name>.bad-<time>`; what rows of
        `table` can still be read there are taken over.
    schema : str
    table : str
        The table worth saving.
    is_sound : callable
        Whether a row of it makes sense.
    """

    def __init__(
        self, path: Path, schema: str, table: str, is_sound: Callable[[Row], bool]
    ) -> None:
        self._path, self._schema, self._table = path, schema, table
        self._is_sound = is_sound
        self.moved_aside: Path | None = None
        self.n_saved = 0
        #: Whether a mend began and didn't come to its end; nothing can be asked until one does.
        self.is_broken = False
        self._log = -1
        self._log_lock = threading.Lock()  # a number that was closed may soon be another file's
        self._open()

    def _open(self) -> None:
        try:
            self.db = _connect(self._path, self._schema)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise  # locked or unwritable: nothing is wrong with the file
            self._begin_anew()
        self._open_log()

    def _open_log(self) -> None:
        self._log = os.open(f"{self._path}-wal", os.O_RDWR)
        _lay_out(self._log, LOG_BYTES)
        _sync_folder(self._path.parent)

    def _begin_anew(self) -> None:
        if not self.is_broken:  # else the file lies aside already, and what is here was half made
            self.moved_aside = _unused_name(self._path)
        assert self.moved_aside
        _move_aside(self._path, self.moved_aside)
        rows = [row for row in _readable_rows(self.moved_aside, self._table) if self._is_sound(row)]
        self.db = _connect(self._path, self._schema)
        self.n_saved = _insert(self.db, self._table, rows)

    def close(self) -> None:
        """Give the file free."""
        with self._log_lock:
            self._close_log()
        self.db.close()

    def _close_log(self) -> None:
        descriptor, self._log = self._log, -1
        if descriptor >= 0:
            os.close(descriptor)

    def mend(self) -> None:
        """Move a file aside that turned out damaged, and go on with what can be read of it.

        Where that can't be done, an error is raised and `is_broken` is set: to be called again.
        """
        with self._log_lock:  # what is being synced now would be synced to the old file
            try:
                self._give_up()
                self._begin_anew()
                self._open_log()
                bring_to_disk(self._log)
            except BaseException:
                self.is_broken = True
                self._give_up()  # nothing may be written that the next mend throws away
                raise
            self.is_broken = False

    def _give_up(self) -> None:
        with contextlib.suppress(OSError):
            self._close_log()
        with contextlib.suppress(sqlite3.Error):
            self.db.close()

    def sync(self) -> None:
        """Bring everything committed so far to the disk; an OSError where that can't be done."""
        with self._log_lock:
            if self._log < 0:
                raise OSError(errno.EIO, "the store of jobs is damaged and no new one begun")
            bring_to_disk(self._log)

    def tidy(self) -> None:
        """Write a long log back into the file; in any thread, while others write on."""
        with contextlib.closing(sqlite3.connect(self._path, timeout=BUSY_MS / 1000)) as own:
            _, n_pages, n_done = own.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if n_pages > FULL_LOG_PAGES and n_done < n_pages:
                own.execute("PRAGMA busy_timeout = 5000")
                own.execute("PRAGMA wal_checkpoint(RESTART)")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is damaged, and not just locked or the disk full."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _is_of_the_disk(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def _connect(path: Path, schema: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=LOCKED_S)
    try:
        is_marked = _checked_version(path, db) == VERSION
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        mark = "" if is_marked else f"PRAGMA user_version = {VERSION};"
        db.executescript(f"BEGIN; {schema} {mark} COMMIT;")
        if db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise _damage(path)
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    except BaseException:
        db.close()
        raise
    return db


def _checked_version(path: Path, db: sqlite3.Connection) -> int:
    """The file's version, or a FaultError where it is newer than what is known here."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise FaultError(
            "internal",
            f"{path} is of a newer Retake (version {version} of the file; this one reads "
            f"{VERSION}): start that one, or choose another folder with --state-dir",
        )
    return version


def _damage(path: Path) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(f"{path} is damaged")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _unused_name(path: Path) -> Path:
    return path.with_name(f"{path.name}.bad-{time.time_ns()}")


def _move_aside(path: Path, aside: Path) -> None:
    """The damaged file and its log under a new name; together they may still be read.

    What was moved there by an earlier try stays; what is at its place now is of a new file that was
    never finished, and goes.
    """
    is_moved = aside.exists()
    for suffix in ("-wal", "-shm", ""):
        here, there = Path(f"{path}{suffix}"), Path(f"{aside}{suffix}")
        with contextlib.suppress(FileNotFoundError):
            here.unlink() if is_moved or there.exists() else here.rename(there)


def _readable_rows(path: Path, table: str) -> Iterator[Row]:
    """What comes out of a damaged table from its first row on, then from its last one back."""
    for order in ("ASC", "DESC") if path.exists() else ():
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as db:
            yield from db.execute(f"SELECT * FROM {table} NOT INDEXED ORDER BY rowid {order}")


def _insert(db: sqlite3.Connection, table: str, rows: list[Row]) -> int:
    """Insert what fits the table, each row once; how many there are now."""
    columns = db.execute(f"SELECT * FROM {table}").description
    places = ", ".join("?" * len(columns))
    with db:
        for row in rows:
            try:
                db.execute(f"INSERT OR IGNORE INTO {table} VALUES ({places})", row)
            except sqlite3.Error as error:  # of another kind than the table's
                if _is_of_the_disk(error):
                    raise
    return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _lay_out(descriptor: int, n_bytes: int) -> None:
    """Fill a log up with zeros, which SQLite takes for the remains of an older one."""
    at = os.fstat(descriptor).st_size
    with contextlib.suppress(OSError):  # no room: it grows as it is written
        if at < n_bytes:
            os.lseek(descriptor, at, os.SEEK_SET)
            os.write(descriptor, bytes(n_bytes - at))
            bring_to_disk(descriptor)


def _sync_folder(folder: Path) -> None:
    """The files' names, too, are to outlive a power cut."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
