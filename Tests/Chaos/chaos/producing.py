"""A process with an idempotent producer that writes tagged records, and notes what became of each."""

import random
import time

import confluent_kafka

from chaos.history import ACKNOWLEDGED, FAILED, INVOKED, UNKNOWN_OFFSET, UNKNOWN_PRODUCER, EventWriter, Value

VALUE_BYTES = 120
# What a client under a service level has: it hears in half a second that a broker is silent. librdkafka's own minute
# would hide from this test how long the brokers take. `message.timeout.ms` 0: whatever happens, each record gets there.
SETTINGS = {
    "enable.idempotence": True, "acks": "all", "message.timeout.ms": 0, "linger.ms": 2, "batch.num.messages": 200,
    "retry.backoff.ms": 20, "retry.backoff.max.ms": 200, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200,
    "socket.timeout.ms": 500, "socket.connection.setup.timeout.ms": 1000, "topic.metadata.refresh.interval.ms": 500,
    "topic.metadata.refresh.fast.interval.ms": 50, "log_level": 2,
}
# Records given to the client and not answered, at which the writer waits.
_OUTSTANDING_MAX = 2_000
_FLUSH_SECONDS = 60

_NOISE = random.Random(1).randbytes(1 << 20)


def encode(value):
    """The bytes of a record: the tag, and noise that depends on it, so that a mixed-up byte shows."""
    tag = b"%d:%d:" % value
    start = (value.sequence * 131 + value.producer * 7_919) % (len(_NOISE) - VALUE_BYTES)
    return tag + _NOISE[start:start + VALUE_BYTES - len(tag)]


def decode(data):
    """The record's tag; UNKNOWN_PRODUCER's if these are not the bytes that a producer writes."""
    try:
        producer, sequence, _ = data.split(b":", 2)
        value = Value(int(producer), int(sequence))
    except (ValueError, AttributeError):
        return Value(UNKNOWN_PRODUCER, 0)
    return value if encode(value) == data else Value(UNKNOWN_PRODUCER, 0)


class ProducerProcess:
    """Owned by its process. `acknowledged` is shared memory: a counter for each partition, written here alone."""

    def __init__(self, number, bootstrap, topic, partitions, path, acknowledged):
        self.number = number
        self.topic = topic
        self.partitions = partitions
        self._events = EventWriter(path)
        self._acknowledged = acknowledged
        self._producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, **SETTINGS})

    def run(self, rate, stopping):
        """Writes `rate` records a second until told to stop, then waits for the last acknowledgement."""
        sequence, begin = 0, time.monotonic()
        while not stopping.is_set():
            due = int((time.monotonic() - begin) * rate)
            if sequence >= due or len(self._producer) >= _OUTSTANDING_MAX:
                # What could not be sent while nobody led is not made up for by a storm: the clock starts again.
                if len(self._producer) >= _OUTSTANDING_MAX:
                    begin = time.monotonic() - sequence / rate
                self._producer.poll(0.002)
                continue
            self._produce(sequence)
            sequence += 1
            self._producer.poll(0)
        left = self._producer.flush(_FLUSH_SECONDS)
        self._events.close()
        return left

    def _produce(self, sequence):
        value, partition = Value(self.number, sequence), sequence % self.partitions
        self._events.add(INVOKED, *self._place(value, partition), -1, time.monotonic_ns())
        self._producer.produce(
            self.topic, encode(value), partition=partition,
            on_delivery=lambda error, message: self._delivered(value, partition, error, message))

    @staticmethod
    def _place(value, partition):
        return value.producer, partition, value.sequence

    def _delivered(self, value, partition, error, message):
        now = time.monotonic_ns()
        if error is None:
            # librdkafka takes the success of a batch for that of the batch before, which it was to send again: it
            # knows no offset then. An exception here would end the process.
            offset = UNKNOWN_OFFSET if message.offset() is None else message.offset()
            self._events.add(ACKNOWLEDGED, *self._place(value, partition), offset, now)
            self._acknowledged[partition] += 1
        elif error.code() in _REFUSED:
            self._events.add(FAILED, *self._place(value, partition), -1, now)


# Errors after which a record can never appear; after all others nobody knows.
_REFUSED = {confluent_kafka.KafkaError.MSG_SIZE_TOO_LARGE, confluent_kafka.KafkaError.INVALID_RECORD}


def main(number, bootstrap, topic, partitions, path, acknowledged, rate, stopping, unanswered):
    """The entry of the process; tells in `unanswered` how many records were never answered."""
    producer = ProducerProcess(number, bootstrap, topic, partitions, path, acknowledged)
    unanswered.value = producer.run(rate, stopping)
