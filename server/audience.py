"""Who hears what: a job's own listeners, watchers of every job, and in which types of number."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, TypeVar

from server.jobs import OF
from server.osc import Message

#: Of each kind; beyond it the one that came first goes.
MAX_WATCHERS = 64
MAX_LISTENERS = 64
MAX_NARROW = 1024
MAX_NAMED = 4096
INT32 = range(-(2**31), 2**31)

T = TypeVar("T")


class Peer(Protocol):
    """Somebody who can be answered; `door` is shared with others who have not said who they are."""

    name: str
    door: str
    is_stream: bool

    def send(self, message: Message) -> None:
        """Send, or drop silently where the peer is gone."""

    def close(self) -> None:
        """End the connection, where there is one."""


class Audience:
    """Everybody the server speaks to."""

    def __init__(self) -> None:
        self._listeners: dict[str, dict[Peer, None]] = {}  # of each job, in the order they came
        self._watchers: dict[Peer, None] = {}
        self._narrow: dict[Peer, None] = {}
        self._said: dict[Peer, str] = {}  # who they are
        self._held: dict[tuple[Peer, str], list[Message]] = {}

    def introduce(self, peer: Peer, name: str) -> None:
        """A peer has said who it is."""
        _join(self._said, peer, MAX_NAMED, " ".join(name.split())[:60])

    def client_of(self, peer: Peer) -> str:
        """Whose turn a peer's jobs take, for `Jobs.submit`.

        An address or a connection is quickly had anew, and a flood may come from a fresh one each
        time: so the turn is the name's, or the door's for whoever said none.
        """
        name = self._said.get(peer, "")
        return f"{name}{OF}{peer.name}" if name else peer.door

    def send(self, peer: Peer, message: Message) -> None:
        """Tell one of them."""
        peer.send(narrowed(message) if peer in self._narrow else message)

    def tell(self, job: str, message: Message) -> None:
        """Tell everybody who hears of a job."""
        for peer in {**self._listeners.get(job, {}), **self._watchers}:
            if (peer, job) in self._held:
                self._held[peer, job].append(message)
            else:
                self.send(peer, message)

    def hold(self, peer: Peer, job: str) -> None:
        """Keep back what a peer is to hear of a job, until `release` or `drop`."""
        self._held.setdefault((peer, job), [])

    def release(self, peer: Peer, job: str) -> None:
        """Say what was kept back."""
        for message in self._held.pop((peer, job), []):
            self.send(peer, message)

    def drop(self, peer: Peer, job: str) -> None:
        """Never say what was kept back."""
        self._held.pop((peer, job), None)

    def listen(self, peer: Peer, job: str) -> None:
        """A peer hears of a job until it has ended."""
        _join(self._listeners.setdefault(job, {}), peer, MAX_LISTENERS, None)

    def watch(self, peer: Peer, is_on: bool) -> None:
        """A peer hears of every job, or no longer."""
        if not is_on:
            self._watchers.pop(peer, None)
            return
        _join(self._watchers, peer, MAX_WATCHERS + 1, None)
        if len(self._watchers) > MAX_WATCHERS:
            # Of a datagram's sender nobody knows whether it is still there.
            others = [one for one in self._watchers if one is not peer]
            self._watchers.pop(next((one for one in others if not one.is_stream), others[0]))

    def narrow(self, peer: Peer, is_on: bool) -> None:
        """A peer is sent whole numbers in 32 bits, or in their own types again."""
        _join(self._narrow, peer, MAX_NARROW, None) if is_on else self._narrow.pop(peer, None)

    def dismiss(self, job: str) -> None:
        """A job has ended: nothing more is said about it."""
        self._listeners.pop(job, None)

    def forget(self, peer: Peer) -> None:
        """A peer is gone."""
        self._watchers.pop(peer, None)
        self._narrow.pop(peer, None)
        self._said.pop(peer, None)
        for listeners in self._listeners.values():
            listeners.pop(peer, None)


def _join(peers: dict[Peer, T], peer: Peer, n_most: int, what: T) -> None:
    peers.pop(peer, None)
    peers[peer] = what
    while len(peers) > n_most:
        peers.pop(next(iter(peers)))


def narrowed(message: Message) -> Message:
    """The message with each `h` as `i`, or as `d` where it doesn't fit 32 bits."""
    if "h" not in message.tags:
        return message
    tags = ""
    for tag, value in zip(message.tags, message.args, strict=True):
        tags += ("i" if value in INT32 else "d") if tag == "h" else tag
    return replace(message, tags=tags)
