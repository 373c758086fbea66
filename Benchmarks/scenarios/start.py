"""How long a broker takes from its start to its first answer, and what it holds in memory when idle."""

import socket
import struct
import time

from harness.brokers import PATIENCE, Cluster
from harness.results import Scenario, median, spread, table

from .throughput import load

IDLE_SECONDS = 2
METADATA, LIST_OFFSETS = 3, 2


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def ask(port, key, body):
    """The answer to one request of version 1, without length and correlation id."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        request = struct.pack(">hhi", key, 1, 0) + text("martlet-bench") + body
        connection.sendall(struct.pack(">i", len(request)) + request)
        stream = connection.makefile("rb")
        length, _ = struct.unpack(">ii", stream.read(8))
        return stream.read(length - 4)


def knows_itself(port):
    """Whether the broker answers for its metadata: it has a leader, and the leader has recorded where it is."""
    brokers, = struct.unpack_from(">i", ask(port, METADATA, struct.pack(">i", 0)))
    return brokers > 0


def answers_for_partition(port, topic):
    """Whether the partition's end can be asked for: everything is applied."""
    body = (struct.pack(">ii", -1, 1) + text(topic) + struct.pack(">iiq", 1, 0, -1))
    answer = ask(port, LIST_OFFSETS, body)
    error, = struct.unpack_from(">h", answer, 4 + 2 + len(topic) + 4 + 4)
    return error == 0


def start(cluster, is_ready):
    """Milliseconds until it answers."""
    begun = time.monotonic()
    cluster.start()
    while True:
        try:
            if is_ready(cluster.ports[0]):
                return (time.monotonic() - begun) * 1000
        except (OSError, struct.error):
            pass
        if time.monotonic() - begun > PATIENCE:
            raise SystemExit("the broker does not answer")
        time.sleep(0.001)


class StoppedCluster(Cluster):
    """Started by the scenario."""

    def __enter__(self):
        return self


def run(entry, _):
    with StoppedCluster(1) as cluster:
        started = start(cluster, knows_itself)
        if entry["gigabytes"] > 0:
            cluster.bench("produce", *load(1024, 65_536, 5), "-n", int(entry["gigabytes"] * 1e9 / 1024))
            cluster.stop()
            started = start(cluster, lambda port: answers_for_partition(port, "bench"))
        time.sleep(IDLE_SECONDS)
        return {"milliseconds": started, "residentBytes": cluster.resident()[0]}


def rows(results):
    for entry in results["entries"]:
        runs = entry["runs"]
        yield [
            f"{entry['scenario']['gigabytes']} GB" if entry["scenario"]["gigabytes"] else "empty",
            spread(run["milliseconds"] for run in runs), f"{median(runs, 'residentBytes') / 1e6:.0f}",
        ]


START = Scenario(
    "start", "from the start to the first answer, with an empty log and with 10 GB; memory when idle",
    [{"gigabytes": 0}, {"gigabytes": 10}], run,
    lambda results: table(["log", "first answer after ms", "idle memory MB"], rows(results)))
