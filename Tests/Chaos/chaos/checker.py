"""The offline checker: finds in a history what a log may never do. Pure. Names are those of Jepsen's Kafka workload.

| anomaly | what was seen |
|---|---|
| lost-write | a record was acknowledged or read, and is not in the log at the end |
| duplicate | a record is at two offsets |
| inconsistent-offsets | two records were seen at one offset, or acknowledged there |
| aborted-read | a record was read although its producer was told that it failed (G1a) |
| phantom | a record was read that nobody sent, or not to that partition, or with other bytes |
| nonmonotonic-send | records of one producer are in another order than it sent them |
| nonmonotonic-realtime | a record is before another that was acknowledged before this one was sent |
| nonmonotonic-poll | a consumer went back between two polls without a new assignment; int-: within one poll |
| poll-skip | a consumer passed over a record between two polls; int-: within one poll |
| group-skip | a group passed over a record: none of its members read it |
| hole | an offset between the first and the last is missing in the log |

Jepsen's int-send-skip and int-nonmonotonic-send are about transactions that send several records: there are none here.
Every check is linear in the size of the history, since offsets tell the order of versions.
"""

import collections
from typing import NamedTuple

from chaos.history import ACKNOWLEDGED, ASSIGNED, FAILED, READ, UNKNOWN_OFFSET, UNKNOWN_PRODUCER, value_of

KINDS = (
    "lost-write", "duplicate", "inconsistent-offsets", "aborted-read", "phantom", "nonmonotonic-send",
    "nonmonotonic-realtime", "int-nonmonotonic-poll", "nonmonotonic-poll", "int-poll-skip", "poll-skip", "group-skip",
    "hole")


class Anomaly(NamedTuple):
    kind: str
    detail: str


def check(history):
    """All anomalies of a history."""
    seen = _Observations(history)
    found = []
    for checks in (_lost_writes, _duplicates, _inconsistent_offsets, _wrong_reads, _order_of_producers,
                   _order_in_real_time, _polls, _groups, _holes):
        found += checks(history, seen)
    return found


class _Observations:
    """What clients said is where, whether by an acknowledgement or by a read."""

    def __init__(self, history):
        self.sent = {send.value: send for send in history.sends}
        self.values_at = collections.defaultdict(set)
        self.places_of = collections.defaultdict(set)
        self.reads = {}
        for send in history.sends:
            if send.outcome == ACKNOWLEDGED and send.offset != UNKNOWN_OFFSET:
                self._add(send.partition, send.offset, send.value)
        for name, events in history.consumers.items():
            for event in events:
                if event.kind == READ:
                    value = value_of(event)
                    self._add(event.partition, event.offset, value)
                    self.reads.setdefault((event.partition, event.offset, value), name)

    def _add(self, partition, offset, value):
        self.values_at[partition, offset].add(value)
        self.places_of[value].add((partition, offset))


def _name(value):
    if value.producer == UNKNOWN_PRODUCER:
        return "a value that no producer writes"
    return f"record {value.sequence} of producer {value.producer}"


def _lost_writes(history, seen):
    kept = {value for log in history.log.values() for value in log.values()}
    for send in history.sends:
        if send.outcome == ACKNOWLEDGED and send.value not in kept:
            yield Anomaly("lost-write", f"{_name(send.value)} was acknowledged at {send.partition}/{send.offset}")
    acknowledged = {send.value for send in history.sends if send.outcome == ACKNOWLEDGED}
    for (partition, offset, value), reader in seen.reads.items():
        if value not in kept and value not in acknowledged:
            yield Anomaly("lost-write", f"{_name(value)} was read at {partition}/{offset} by {reader}")


def _duplicates(history, seen):
    for value, places in seen.places_of.items():
        if len(places) > 1 and value.producer != UNKNOWN_PRODUCER:
            where = ", ".join(f"{partition}/{offset}" for partition, offset in sorted(places))
            yield Anomaly("duplicate", f"{_name(value)} is at {where}")


def _inconsistent_offsets(history, seen):
    for (partition, offset), values in seen.values_at.items():
        if len(values) > 1:
            yield Anomaly(
                "inconsistent-offsets", f"{partition}/{offset} is " + " and ".join(map(_name, sorted(values))))


def _wrong_reads(history, seen):
    for (partition, offset, value), reader in seen.reads.items():
        send = seen.sent.get(value)
        if send is None or send.partition != partition:
            yield Anomaly("phantom", f"{_name(value)} was read at {partition}/{offset} by {reader}")
        elif send.outcome == FAILED:
            yield Anomaly("aborted-read", f"{_name(value)} failed and was read at {partition}/{offset} by {reader}")


def _order_of_producers(history, seen):
    for partition, log in history.log.items():
        newest = {}
        for offset in sorted(log):
            value = log[offset]
            before = newest.get(value.producer)
            if before is not None and value.sequence < before and len(seen.places_of[value]) == 1:
                yield Anomaly("nonmonotonic-send", f"{_name(value)} is at {partition}/{offset}, behind record {before}")
            newest[value.producer] = max(value.sequence, before or 0)


def _order_in_real_time(history, seen):
    for partition, log in history.log.items():
        latest = None
        for offset in sorted(log):
            send = seen.sent.get(log[offset])
            if send is None:
                continue
            if latest and send.outcome == ACKNOWLEDGED and send.completed < latest.invoked:
                yield Anomaly(
                    "nonmonotonic-realtime", f"{_name(send.value)} is at {partition}/{offset}, behind "
                    f"{_name(latest.value)}, which was sent after the other's acknowledgement")
            if latest is None or send.invoked > latest.invoked:
                latest = send


def _polls(history, seen):
    for name, events in history.consumers.items():
        last = {}
        for event in events:
            if event.kind == ASSIGNED:
                if event.offset >= 0:
                    last[event.partition] = (event.offset - 1, None)
                else:
                    last.pop(event.partition, None)
                continue
            before, poll = last.get(event.partition, (None, None))
            prefix = "int-" if poll == event.at else ""
            if before is not None and event.offset <= before:
                yield Anomaly(
                    f"{prefix}nonmonotonic-poll", f"{name} read {event.partition}/{event.offset} after {before}")
            elif before is not None:
                for offset in range(before + 1, event.offset):
                    if (event.partition, offset) in seen.values_at:
                        yield Anomaly(
                            f"{prefix}poll-skip", f"{name} read {event.partition}/{event.offset} without {offset}")
            last[event.partition] = (event.offset, event.at)


def _groups(history, seen):
    for members in history.groups:
        read = {
            (event.partition, event.offset) for name in members for event in history.consumers[name]
            if event.kind == READ}
        for partition, log in history.log.items():
            for offset in log:
                if (partition, offset) not in read:
                    yield Anomaly("group-skip", f"no member read {partition}/{offset}, {_name(log[offset])}")


def _holes(history, seen):
    for partition, log in history.log.items():
        known = {offset for other, offset in seen.values_at if other == partition}
        for offset in range(max(known | set(log), default=-1) + 1):
            # An offset that others did see is a lost write already.
            if offset not in log and offset not in known:
                yield Anomaly("hole", f"{partition}/{offset} is missing")
