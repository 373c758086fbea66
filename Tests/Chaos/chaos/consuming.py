"""Processes that read while faults happen: readers with fixed partitions, and members of a group that commits."""


import confluent_kafka
from confluent_kafka import TopicPartition

from chaos.history import ASSIGNED, READ, EventWriter
from chaos.producing import decode

SETTINGS = {
    "enable.auto.commit": False, "auto.offset.reset": "earliest", "fetch.wait.max.ms": 100,
    "socket.timeout.ms": 2000, "socket.connection.setup.timeout.ms": 1000, "retry.backoff.ms": 20,
    "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "topic.metadata.refresh.interval.ms": 1000,
    "topic.metadata.refresh.fast.interval.ms": 50, "fetch.error.backoff.ms": 20, "session.timeout.ms": 6000,
    "heartbeat.interval.ms": 500, "partition.assignment.strategy": "cooperative-sticky", "log_level": 2,
}
_POLL_RECORDS = 1_000
_POLL_SECONDS = 0.1


class ConsumerProcess:
    """Owned by its process. `positions` is shared memory: for each partition the offset up to which this
    process has read or, in a group, committed."""

    def __init__(self, bootstrap, group, topic, partitions, path, positions):
        self.topic = topic
        self.partitions = partitions
        self.positions = positions
        self._events = EventWriter(path)
        self._poll = 0
        self._consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": group, **SETTINGS})

    def read(self, stopping):
        """Reads every partition from its begin until told to stop."""
        self._consumer.assign([TopicPartition(self.topic, partition, 0) for partition in range(self.partitions)])
        for partition in range(self.partitions):
            self._events.add(ASSIGNED, 0, partition, 0, 0, 0)
        while not stopping.is_set():
            for partition, offset in self._take().items():
                self.positions[partition] = offset
        self._close()

    def read_as_member(self, stopping):
        """Reads what the group gives it, and commits each poll before the next."""
        self._consumer.subscribe([self.topic], on_assign=self._assigned)
        while not stopping.is_set():
            taken = self._take()
            if not taken:
                continue
            offsets = [TopicPartition(self.topic, partition, offset) for partition, offset in taken.items()]
            try:
                committed = self._consumer.commit(offsets=offsets, asynchronous=False)
            except confluent_kafka.KafkaException:
                # The coordinator changes, or the partitions were taken away: whoever gets them reads this again.
                continue
            for place in committed:
                if place.error is None:
                    self.positions[place.partition] = place.offset
        self._close()

    def _assigned(self, _, places):
        for place in places:
            # It begins at what is committed, which may be behind what it read before.
            self._events.add(ASSIGNED, 0, place.partition, 0, -1, 0)

    def _take(self):
        """One poll: notes its records, returns the offsets behind them."""
        taken = {}
        self._poll += 1
        for message in self._consumer.consume(_POLL_RECORDS, _POLL_SECONDS):
            if message.error():
                # Brokers that are away, leaders that are not: what the client deals with itself.
                continue
            value = decode(message.value())
            self._events.add(
                READ, value.producer, message.partition(), value.sequence, message.offset(), self._poll)
            taken[message.partition()] = message.offset() + 1
        return taken

    def _close(self):
        self._events.close()
        self._consumer.close()


def read(bootstrap, topic, partitions, path, positions, stopping):
    """The entry of a reader's process."""
    ConsumerProcess(bootstrap, "unused", topic, partitions, path, positions).read(stopping)


def read_as_member(bootstrap, topic, partitions, path, positions, stopping):
    """The entry of a group member's process."""
    ConsumerProcess(bootstrap, "group", topic, partitions, path, positions).read_as_member(stopping)
