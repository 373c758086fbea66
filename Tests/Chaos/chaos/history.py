"""What clients did and saw, as files of events that the checker reads when all is over.

One event has 24 bytes, little endian:

    0   kind        1 byte   below
    1   producer    1 byte   who wrote the record; UNKNOWN_PRODUCER for a value that nobody could have written
    2   partition   2 bytes
    4   sequence    4 bytes  of the record among those of its producer
    8   offset      8 bytes  -1 where there is none
    16  at          8 bytes  nanoseconds of the machine's monotonic clock; for READ the number of the poll
"""

import collections
import struct
from typing import NamedTuple

INVOKED, ACKNOWLEDGED, FAILED, READ, ASSIGNED = range(1, 6)
UNKNOWN_PRODUCER = 255
UNKNOWN_OFFSET = -1

_FORMAT = struct.Struct("<BBHIqq")


class Event(NamedTuple):
    kind: int
    producer: int
    partition: int
    sequence: int
    offset: int
    at: int


class Value(NamedTuple):
    """What identifies a record: no producer writes the same twice."""
    producer: int
    sequence: int


class Send(NamedTuple):
    """One record that a producer was given. `outcome` is ACKNOWLEDGED, FAILED when the record can never appear, and
    None when the client never learned what became of it."""
    value: Value
    partition: int
    invoked: int
    outcome: int | None = None
    offset: int = UNKNOWN_OFFSET
    completed: int = 0


class EventWriter:
    """Appends events to a file, for one process."""

    def __init__(self, path):
        self._file = open(path, "wb", buffering=1 << 20)

    def add(self, kind, producer, partition, sequence, offset, at):
        self._file.write(_FORMAT.pack(kind, producer, partition, sequence, offset, at))

    def close(self):
        self._file.close()


def read_events(path):
    # A process that was killed may have left half an event at the end.
    data = path.read_bytes()
    return [Event(*fields) for fields in _FORMAT.iter_unpack(data[:len(data) - len(data) % _FORMAT.size])]


def sends_of(events):
    """What one producer sent, in the order of sending."""
    sends = {}
    for event in events:
        value = Value(event.producer, event.sequence)
        if event.kind == INVOKED:
            sends[value] = Send(value, event.partition, event.at)
        else:
            sends[value] = sends[value]._replace(outcome=event.kind, offset=event.offset, completed=event.at)
    return list(sends.values())


class History:
    """Everything that happened in a scenario.

    `consumers` has the READ and ASSIGNED events of each consumer, in order. `final` names the one that read every
    partition from its begin to its end when all faults were over; `groups` names consumers that shared the work.
    """

    def __init__(self, sends, consumers, final, groups=()):
        self.sends = sends
        self.consumers = consumers
        self.groups = groups
        self.log = collections.defaultdict(dict)
        for event in consumers[final]:
            if event.kind == READ:
                # Should the last reader be given an offset twice, the checker finds that in its events.
                self.log[event.partition].setdefault(event.offset, value_of(event))

    @classmethod
    def load(cls, directory):
        """From the files that a scenario left."""
        sends = [
            send for path in sorted(directory.glob("producer-*.events")) for send in sends_of(read_events(path))]
        consumers = {
            path.stem: read_events(path) for kind in ("reader", "member", "final")
            for path in sorted(directory.glob(f"{kind}*.events"))}
        members = [name for name in consumers if name.startswith("member")]
        return cls(sends, consumers, "final", groups=[members] if members else [])


def value_of(event):
    return Value(event.producer, event.sequence)
