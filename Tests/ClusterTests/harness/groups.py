"""Consumer groups with real members, and what must hold of what they consumed."""

import collections
import json
import pathlib
import signal
import subprocess
import sys
import threading

import confluent_kafka

from harness import requests
from harness.clients import ConfluentClient
from harness.waiting import wait_until
from harness.wire import Connection

# Partitions of the topics that groups consume here, and brokers whose groups do not wait long for their first members.
PARTITIONS = 6
OPTIONS = ["--group-initial-rebalance-delay-ms", "200"]

_SCRIPT = pathlib.Path(__file__).with_name("member.py")


class Member:
    """A consumer in a process of its own."""

    def __init__(self, cluster, group, topic, client="confluent-kafka", strategy=None, instance=None,
                 reset="earliest"):
        self.client = client
        # kcat does not say on its standard output when it loses a partition and gets it back.
        self.tells_rebalances = client != "kcat"
        if client == "kcat":
            command = [
                "kcat", "-q", "-u", "-b", cluster.bootstrap, "-X", "session.timeout.ms=6000",
                "-X", "heartbeat.interval.ms=500", "-X", "auto.commit.interval.ms=200",
                "-X", f"auto.offset.reset={reset}",
                "-f", '{"event": "record", "partition": %p, "offset": %o, "value": "%s"}\n', "-G", group, topic]
        else:
            options = {
                "client": client, "bootstrap": cluster.bootstrap, "group": group, "topic": topic,
                "strategy": strategy, "instance": instance, "reset": reset}
            command = [sys.executable, str(_SCRIPT), json.dumps(options)]
        self.events = []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._errors = []
        self._readers = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=lambda: self._errors.extend(self.process.stderr), daemon=True)]
        for reader in self._readers:
            reader.start()

    def _read(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                self.events.append(json.loads(line))

    @property
    def records(self):
        return [event for event in list(self.events) if event["event"] == "record"]

    @property
    def assignment(self):
        """The partitions that it was told it has; None before the first assignment."""
        owned = None
        for event in list(self.events):
            if event["event"] == "assigned":
                owned = (owned or set()) | set(event["partitions"])
            elif event["event"] == "revoked":
                owned = (owned or set()) - set(event["partitions"])
        return owned

    @property
    def assignments(self):
        """How often it was assigned partitions."""
        return sum(1 for event in list(self.events) if event["event"] == "assigned")

    def freeze(self):
        """The process stands still, without a word to anybody."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self._finish()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self._finish()
        if self.client != "kcat":
            assert self.process.returncode == 0, "".join(self._errors)[-3000:]

    def _finish(self):
        self.process.wait(timeout=40)
        for reader in self._readers:
            reader.join(timeout=10)


class GroupWorkload:
    """A topic that is written to while a group consumes it; in the end every record must have been consumed."""

    def __init__(self, cluster, topic, group, partitions):
        self.cluster, self.topic, self.group, self.partitions = cluster, topic, group, partitions
        self.members, self.ended = [], []
        self.written = 0
        self._producer = ConfluentClient().producer(cluster.bootstrap, enable_idempotence=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for member in self.members:
            member.process.kill()

    def add(self, **options):
        member = Member(self.cluster, self.group, self.topic, **options)
        self.members.append(member)
        return member

    def kill(self, member):
        member.kill()
        self._end(member)

    def stop(self, member):
        member.stop()
        self._end(member)

    def _end(self, member):
        self.members.remove(member)
        self.ended.append(member)

    def write(self, count):
        for number in range(self.written, self.written + count):
            self._producer.produce(self.topic, b"%d" % number, partition=number % self.partitions)
        self.written += count
        assert self._producer.flush(30) == 0, "records were not written"

    @property
    def consumed(self):
        return [record for member in self.members + self.ended for record in member.records]

    def wait_until_consumed(self, timeout=45.0):
        expected = {str(number) for number in range(self.written)}

        def is_complete():
            return {record["value"] for record in self.consumed} >= expected

        try:
            wait_until(is_complete, "every record is consumed", timeout)
        except AssertionError:
            missing = sorted(expected - {record["value"] for record in self.consumed}, key=int)
            where = collections.Counter(int(number) % self.partitions for number in missing)
            states = [(member.assignment, member.events[-5:]) for member in self.members]
            raise AssertionError(f"{len(missing)} of {self.written} records were not consumed, by partition: {where}; "
                                 f"members: {states}") from None

    def description(self):
        """The group as its coordinator describes it; None while it has none."""
        for broker in self.cluster.running:
            try:
                with Connection(broker.address) as connection:
                    found = requests.describe_group(connection, self.group)
            except OSError:
                continue
            if found.error == 0 and found.state != "Dead":
                return found
        return None

    def wait_until_stable(self, timeout=30.0):
        """Until the group is stable with exactly the members that run."""
        count = len(self.members)

        def is_stable():
            found = self.description()
            return found and found.state == "Stable" and len(found.members) == count

        wait_until(is_stable, f"the group is stable with {count} members", timeout)
        if all(member.client != "kcat" for member in self.members):
            wait_until(self._is_shared, "the members share the partitions", timeout)

    def _is_shared(self):
        owned = [partition for member in self.members for partition in member.assignment or ()]
        return sorted(owned) == list(range(self.partitions))

    def check(self):
        """Every record was consumed, within each member and partition in order."""
        self.wait_until_consumed()
        for member in self.members + self.ended:
            last = {}
            for event in list(member.events):
                if event["event"] == "record":
                    partition, offset = event["partition"], event["offset"]
                    assert int(event["value"]) == offset * self.partitions + partition
                    if partition in last and offset != last[partition] + 1:
                        skipped = range(last[partition] + 1, offset)
                        assert not member.tells_rebalances, "a record was left out"
                        assert self._have_read(partition, skipped, others_than=member), "a record was left out"
                    last[partition] = offset
                elif event["event"] in ("assigned", "revoked"):
                    # It begins where the group has come to.
                    for partition in event["partitions"]:
                        last.pop(partition, None)
                elif event["event"] == "error":
                    last = {}

    def _have_read(self, partition, offsets, others_than):
        read = {(record["partition"], record["offset"]) for member in self.members + self.ended
                if member is not others_than for record in member.records}
        return all((partition, offset) in read for offset in offsets)


def committed(cluster, group, topic, partitions):
    """The group's committed offsets, None for a partition without one."""
    consumer = ConfluentClient().consumer(cluster.bootstrap, group_id=group)
    try:
        wanted = [confluent_kafka.TopicPartition(topic, partition) for partition in range(partitions)]
        return [one.offset if one.offset >= 0 else None for one in consumer.committed(wanted, timeout=20)]
    finally:
        consumer.close()
