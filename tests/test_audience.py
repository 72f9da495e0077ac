"""Who hears what, where more want to than may."""

from __future__ import annotations

from server.audience import MAX_WATCHERS, Audience
from server.messages import build
from server.osc import Message


class Hearer:
    """Somebody at one of the doors."""

    def __init__(self, name: str, is_stream: bool) -> None:
        self.name, self.is_stream, self.door = name, is_stream, "tcp" if is_stream else "udp"
        self.heard: list[Message] = []

    def send(self, message: Message) -> None:
        self.heard.append(message)

    def close(self) -> None:
        pass


def test_connections_watch_on_however_many_datagrams_came_and_went() -> None:
    """Nobody sees that a datagram's sender has left."""
    audience, stream = Audience(), Hearer("dashboard", True)
    audience.watch(stream, True)
    senders = [Hearer(str(n), False) for n in range(2 * MAX_WATCHERS)]
    for sender in senders:
        audience.watch(sender, True)
    audience.tell("a", build("/retake/started", "a"))
    assert len(stream.heard) == 1
    assert sum(len(sender.heard) for sender in senders) == MAX_WATCHERS - 1
    assert senders[-1].heard
    assert not senders[0].heard


def test_the_last_to_come_is_heard_among_connections() -> None:
    audience = Audience()
    streams = [Hearer(str(n), True) for n in range(MAX_WATCHERS)]
    sender = Hearer("script", False)
    for peer in (*streams, sender):
        audience.watch(peer, True)
    audience.tell("a", build("/retake/started", "a"))
    assert sender.heard
    assert [len(stream.heard) for stream in streams] == [0] + [1] * (MAX_WATCHERS - 1)
