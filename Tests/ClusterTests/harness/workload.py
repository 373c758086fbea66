"""A producer that writes numbered records while a test does harm, and the check of what is there afterwards."""

import random
import threading

from harness import requests
from harness.clients import ConfluentClient
from harness.records import batch_headers
from harness.waiting import wait_until
from harness.wire import Connection


class NumberedWriter:
    """Writes 0, 1, 2, … to every partition of a topic from a thread, idempotently, until it is stopped.

    With `padding` each record carries that many more bytes, which no codec makes smaller: segments fill with them.
    """

    def __init__(self, bootstrap, topic, partitions=1, padding=0):
        self.topic = topic
        self.partitions = partitions
        self.acknowledged = {partition: [] for partition in range(partitions)}
        self.failures = []
        # An endless time-out: whatever happens to the brokers, the client must get every record through.
        self._noise = random.Random(1).randbytes(8_000_000)
        self._padding = padding
        self._producer = ConfluentClient().producer(
            bootstrap, enable_idempotence=True, message_timeout_ms=0, linger_ms=1, batch_num_messages=100,
            retry_backoff_ms=50, retry_backoff_max_ms=200, reconnect_backoff_ms=20, reconnect_backoff_max_ms=200,
            topic_metadata_refresh_interval_ms=1000)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join()

    def _delivered(self, error, message):
        if error:
            self.failures.append(error)
        else:
            self.acknowledged[message.partition()].append((number_of(message.value()), message.offset()))

    def _run(self):
        number = 0
        while not self._stopping.is_set():
            for partition in range(self.partitions):
                self._producer.produce(
                    self.topic, self._value(number), None, partition, on_delivery=self._delivered)
            number += 1
            # A paced writer: the records stand on both sides of the harm instead of in one long queue before it.
            self._producer.poll(0.001 if len(self._producer) < 500 else 0.02)

    def _value(self, number):
        start = number * self._padding % (len(self._noise) - self._padding)
        return b"%d:" % number + self._noise[start:start + self._padding]

    @property
    def count(self):
        return sum(len(written) for written in self.acknowledged.values())

    def wait_for_more(self, more=300, timeout=60):
        """Waits until that many more records were acknowledged than now."""
        target = self.count + more
        wait_until(lambda: self.count >= target, f"{more} more records are acknowledged", timeout)

    def finish(self):
        """Stops writing and waits until all that was given to the client is acknowledged."""
        self._stopping.set()
        self._thread.join()
        assert self._producer.flush(60) == 0, "records given to the producer were never acknowledged"
        assert self.failures == []

    def check(self, cluster):
        """Every acknowledged record is there once, at the offset that was answered, and in the order of sending."""
        for partition, acknowledged in self.acknowledged.items():
            assert [number for number, _ in acknowledged] == list(range(len(acknowledged)))
            written = read_all(cluster, self.topic, partition)
            assert written == [self._value(number) for number, _ in acknowledged], f"partition {partition}"
            assert [offset for _, offset in acknowledged] == list(range(len(acknowledged))), f"partition {partition}"


def number_of(value):
    return int(value.split(b":", 1)[0])


def read_all(cluster, topic, partition=0):
    """The values of all records of a partition, in order; the offsets must be dense."""
    with Connection(cluster.leader(topic, partition).address) as connection:
        end = wait_until(
            lambda: _latest(connection, topic, partition), f"{topic}-{partition} has an end to ask for")
    if end == (0,):
        return []
    records = ConfluentClient().consume(cluster.bootstrap, topic, 0, end[0], partition)
    assert [record.offset for record in records] == list(range(end[0]))
    return [record.value for record in records]


def _latest(connection, topic, partition):
    error, offset, _ = requests.list_offset(connection, topic, requests.LATEST, partition)
    return (offset,) if error == 0 else None


def stored_batches(cluster, topic, partition=0):
    """The headers of all batches of a partition."""
    found, offset = [], 0
    with Connection(cluster.leader(topic, partition).address) as connection:
        while True:
            headers = batch_headers(requests.fetch(connection, topic, offset, partition=partition).records)
            if not headers:
                return found
            found += headers
            offset = headers[-1].end_offset
