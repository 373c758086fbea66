"""Stream processing libraries: their groups, their assignors, and the changelog topics that hold their state."""

import collections
import json
import pathlib
import subprocess

import pytest

from harness import requests
from harness.broker import REPOSITORY
from harness.clients import ConfluentClient
from harness.cluster import Cluster
from harness.waiting import wait_until
from harness.wire import Connection
from harness.workload import read_all

# Set up by `make test-deps`: these libraries pin older clients than the other tests use.
PYTHON = REPOSITORY / ".build/venv-streams/bin/python"
PROGRAMS = pathlib.Path(__file__).parent / "harness/streams"
PARTITIONS = 4
KEYS = 10


@pytest.fixture(scope="module")
def brokers(tmp_path_factory):
    """Three brokers whose groups do not wait long for their first members."""
    cluster = Cluster(tmp_path_factory.mktemp("brokers"), options=["--group-initial-rebalance-delay-ms", "200"])
    cluster.start()
    yield cluster
    cluster.discard()


class Counting:
    """Applications that count the records of each key of one topic into another."""

    def __init__(self, library, cluster, name, directory):
        self.library, self.cluster, self.directory = library, cluster, directory
        self.group, self.source, self.sink = f"count-{name}", name, f"{name}-counted"
        self.written = 0
        self.running = []
        self._logs = []
        self._log_of = {}
        self._producer = ConfluentClient().producer(cluster.bootstrap, enable_idempotence=True)
        for topic in (self.source, self.sink):
            cluster.create_topic(topic, partitions=PARTITIONS)

    def start(self):
        number = len(self._logs)
        options = {
            "bootstrap": self.cluster.bootstrap, "name": self.group, "source": self.source, "sink": self.sink,
            "partitions": PARTITIONS, "directory": str(self.directory / str(number))}
        self._logs.append(self.directory / f"{number}.log")
        with open(self._logs[-1], "w") as log:
            app = subprocess.Popen(
                [PYTHON, PROGRAMS / f"{self.library}_app.py", json.dumps(options)], stdout=log, stderr=log)
        self.running.append(app)
        self._log_of[app] = self._logs[-1]
        return app

    def kill(self, app):
        self.running.remove(app)
        del self._log_of[app]
        app.kill()
        app.wait()

    def stop(self, app):
        self.running.remove(app)
        del self._log_of[app]
        app.terminate()
        app.wait(timeout=40)

    def discard(self):
        for app in list(self.running):
            self.kill(app)

    def write(self, count):
        for number in range(self.written, self.written + count):
            self._producer.produce(self.source, json.dumps({"number": number}), key=f"key-{number % KEYS}")
        self.written += count
        assert self._producer.flush(30) == 0, "records were not written"

    def counted(self):
        """For each key the counts that were written, by the number of the record that was counted."""
        found = collections.defaultdict(dict)
        for partition in range(PARTITIONS):
            for value in read_all(self.cluster, self.sink, partition):
                row = json.loads(value)
                found[row["number"] % KEYS].setdefault(row["number"], []).append(row["count"])
        return found

    def wait_until_counted(self, timeout=60):
        def is_complete():
            assert all(app.poll() is None for app in self.running), f"an application ended: {self.log_text()}"
            found = self.counted()
            return sum(len(numbers) for numbers in found.values()) == self.written and found
        return wait_until(is_complete, lambda: f"all {self.written} records are counted; {self.log_text()}", timeout)

    def check_counts(self, found):
        """A record may be counted twice if its application was killed, but never with a part of the state."""
        for key, numbers in found.items():
            for place, number in enumerate(sorted(numbers), 1):
                assert max(numbers[number]) >= place, f"key {key}: record {number} was counted with a part of the state"

    def wait_until_ready(self):
        """Waits until every application has restored its state after the last rebalance.

        faust loses what it fetches meanwhile: it seeks back to the committed offsets then, and takes the records for
        read ("DROPPED MESSAGE ROFF" in its log, which DEVLOG=1 turns on).
        """
        def is_ready(log):
            text = log.read_text()
            return text.rfind("[^---Recovery]: Worker ready") > text.rfind("Revoking previously assigned partitions")
        if self.library == "faust":
            logs = list(self._log_of.values())
            wait_until(lambda: all(map(is_ready, logs)), lambda: f"the tables are restored; {self.log_text()}", 60)

    def log_text(self):
        return "\n".join(log.read_text()[-3000:] for log in self._logs)

    def wait_until_members(self, count, timeout=40):
        def is_stable():
            for broker in self.cluster.running:
                with Connection(broker.address) as connection:
                    group = requests.describe_group(connection, self.group)
                if group.error == 0 and group.state == "Stable":
                    return len(group.members) == count
            return False
        wait_until(is_stable, lambda: f"the group is stable with {count} members; {self.log_text()}", timeout)


@pytest.fixture
def counting(request, brokers, name, tmp_path):
    assert PYTHON.exists(), "the stream libraries are missing: run make test-deps"
    counting = Counting(request.param, brokers, name, tmp_path)
    yield counting
    counting.discard()


each_library = pytest.mark.parametrize("counting", ["quixstreams", "faust"], indirect=True)
# faust's applications may end when a broker does: what reads a topic is cancelled, or the first broker they ask is down.
of_quixstreams = pytest.mark.parametrize("counting", ["quixstreams"], indirect=True)


@each_library
def test_applications_that_come_and_go_count_every_record(counting):
    """Once with quixstreams, which commits what it counted before it gives up partitions; faust may count twice."""
    counting.write(500)
    first = counting.start()
    counting.wait_until_counted()
    counting.start()
    counting.wait_until_members(2)
    counting.wait_until_ready()
    counting.write(500)
    counting.wait_until_counted()
    counting.stop(first)
    counting.wait_until_members(1)
    counting.wait_until_ready()
    counting.write(500)
    found = counting.wait_until_counted()
    counting.check_counts(found)
    for key, numbers in found.items() if counting.library == "quixstreams" else ():
        expected = range(1, counting.written // KEYS + 1)
        assert [numbers[number] for number in sorted(numbers)] == [[count] for count in expected], f"key {key}"


@each_library
def test_a_killed_application_costs_no_record_and_no_state(counting):
    """What was counted and not committed is counted again; nothing is left out, and no count begins anew."""
    doomed = counting.start()
    counting.write(500)
    counting.wait_until_counted()
    counting.kill(doomed)
    counting.start()
    counting.wait_until_ready()
    counting.write(500)
    counting.check_counts(counting.wait_until_counted())


@of_quixstreams
def test_an_application_outlives_its_coordinator(counting, brokers):
    counting.start()
    counting.write(300)
    counting.wait_until_counted()
    old = brokers.leader(counting.source)
    old.kill()
    brokers.leader(counting.source, other_than=old)
    counting.write(300)
    counting.wait_until_counted()
    old.start()
    counting.write(300)
    counting.wait_until_counted()


@of_quixstreams
def test_a_killed_application_comes_back_after_its_coordinator_was_killed(counting, brokers):
    doomed = counting.start()
    counting.write(300)
    counting.wait_until_counted()
    counting.kill(doomed)
    old = brokers.leader(counting.source)
    old.kill()
    brokers.leader(counting.source, other_than=old)
    old.start()
    brokers.wait_until_serving()
    counting.start()
    counting.wait_until_ready()
    counting.write(300)
    counting.check_counts(counting.wait_until_counted())
