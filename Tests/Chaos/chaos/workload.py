"""The client processes of one scenario, and what the run knows of them while they work."""

import multiprocessing
import time

from chaos import consuming, producing
from harness.waiting import wait_until

# librdkafka has threads: a forked copy of a process that uses it would be half of one.
_processes = multiprocessing.get_context("spawn")

PRODUCERS, READERS, MEMBERS = 3, 1, 2


class Workload:
    """Three idempotent producers, a reader of everything, and a group of two members; then the last reader."""

    def __init__(self, bootstrap, topic, partitions, directory, rate):
        self._bootstrap, self._topic, self._partitions, self._directory = bootstrap, topic, partitions, directory
        self._rate = rate
        self._stop_producing, self._stop_consuming = _processes.Event(), _processes.Event()
        self._acknowledged = [self._counters() for _ in range(PRODUCERS)]
        self._unanswered = [_processes.Value("q", -1, lock=False) for _ in range(PRODUCERS)]
        self._read = [self._counters() for _ in range(READERS)]
        self._committed = [self._counters() for _ in range(MEMBERS)]
        self._producers, self._consumers = [], []

    def _counters(self):
        return _processes.RawArray("q", self._partitions)

    def _path(self, name):
        return self._directory / f"{name}.events"

    def _start(self, target, *arguments):
        process = _processes.Process(target=target, args=(self._bootstrap, *arguments), daemon=True)
        process.start()
        return process

    def start(self):
        for number in range(PRODUCERS):
            process = _processes.Process(
                target=producing.main, daemon=True,
                args=(number + 1, self._bootstrap, self._topic, self._partitions, self._path(f"producer-{number + 1}"),
                      self._acknowledged[number], self._rate / PRODUCERS, self._stop_producing,
                      self._unanswered[number]))
            process.start()
            self._producers.append(process)
        for entry, kind, positions in (
                (consuming.read, "reader", self._read), (consuming.read_as_member, "member", self._committed)):
            for number, array in enumerate(positions, start=1):
                self._consumers.append(self._start(
                    entry, self._topic, self._partitions, self._path(f"{kind}-{number}"), array, self._stop_consuming))

    def acknowledged(self):
        """Acknowledged records of each partition by each producer."""
        return [count for counters in self._acknowledged for count in counters]

    @property
    def count(self):
        return sum(self.acknowledged())

    def wait_until_all_flow(self, timeout=30.0):
        """Waits until each producer got more acknowledgements from each partition than it had."""
        before = self.acknowledged()
        began = time.monotonic()
        wait_until(
            lambda: all(now > then for now, then in zip(self.acknowledged(), before)),
            "every producer is acknowledged in every partition", timeout)
        return time.monotonic() - began

    def stop_producing(self):
        """Returns how many records were never answered: a minute without faults must be enough for all."""
        self._stop_producing.set()
        for process in self._producers:
            process.join()
        return sum(counter.value for counter in self._unanswered)

    def drain(self, ends):
        """Waits until readers and group have reached the ends of the partitions, then ends them."""
        def is_read():
            return all(counters[partition] >= end for counters in self._read for partition, end in enumerate(ends))

        def is_committed():
            return all(
                max(counters[partition] for counters in self._committed) >= end for partition, end in enumerate(ends))

        try:
            wait_until(is_read, f"readers reach the ends {ends}", 60)
            wait_until(is_committed, f"the group has committed the ends {ends}", 60)
        finally:
            self._stop_consuming.set()
            for process in self._consumers:
                process.join()

    def read_all(self, ends):
        """A client that knows nothing reads everything: what is in the log at the end."""
        stopping, positions = _processes.Event(), self._counters()
        process = self._start(
            consuming.read, self._topic, self._partitions, self._path("final"), positions, stopping)
        try:
            wait_until(
                lambda: all(position >= end for position, end in zip(positions, ends)),
                f"the last reader reaches the ends {ends}", 120)
        finally:
            stopping.set()
            process.join()

    def discard(self):
        for process in self._producers + self._consumers:
            if process.is_alive():
                process.kill()
                process.join()
