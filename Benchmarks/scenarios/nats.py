"""Martlet beside NATS JetStream: records of 100 B on three servers."""

import json
import subprocess

from harness.brokers import Cluster, Processes, free_ports, wait_for_listener
from harness.needs import debian, go_program, version
from harness.results import Scenario, median, spread, table

from .throughput import load, timed

PACKAGES = ("nats-server", "golang-go", "golang-github-nats-io-go-nats-dev")
RECORD_BYTES = 100
# Connections and unacknowledged messages on each; the client library's own default is 4,000.
WINDOWS = [(8, 4_000), (1, 1)]


class NATSCluster(Processes):
    """Three servers. With `always_flushed`, every write of theirs is on the disk when it returns: this version has no
    `sync_interval`, so the file system is told to (attribute S of their directory)."""

    def __init__(self, always_flushed):
        super().__init__()
        self.ports = free_ports(6)
        self.servers = ",".join(f"nats://127.0.0.1:{port}" for port in self.ports[:3])
        if always_flushed:
            subprocess.run(["chattr", "+S", self.directory], check=True)

    def start(self):
        routes = ",".join(f"nats://127.0.0.1:{port}" for port in self.ports[3:])
        for n in range(3):
            self.launch(
                "nats-server", "-a", "127.0.0.1", "-p", self.ports[n], "-n", f"n{n}", "-js", "-sd",
                f"{self.directory}/{n}", "--cluster_name", "bench", "--routes", routes, "--cluster",
                f"nats://127.0.0.1:{self.ports[3 + n]}")
        for port in self.ports:
            wait_for_listener(port)


def publish(seconds, always_flushed, connections, window):
    with NATSCluster(always_flushed) as cluster:
        done = subprocess.run(
            [go_program("Benchmarks/NATS"), "-servers", cluster.servers, "-size", str(RECORD_BYTES), "-connections",
             str(connections), "-window", str(window), "-seconds", str(seconds)],
            capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def run(entry, seconds):
    debian(*PACKAGES)
    connections, window = entry["connections"], entry["window"]
    # Martlet's client sends batches; with one message under way each is a batch of its own.
    batch, depth = (16_384, 16) if window > 1 else (RECORD_BYTES, 1)
    with Cluster(3) as cluster:
        martlet = cluster.bench(
            "produce", *load(RECORD_BYTES, batch, depth, "random", connections), *timed(seconds))
    found = {
        "martlet": {"recordsPerSecond": martlet["recordsPerSecond"], **martlet["latency"]},
        "default": publish(seconds, False, connections, window),
        "flushed": publish(seconds, True, connections, window),
        "version": version(PACKAGES[0]),
    }
    if found["flushed"]["recordsPerSecond"] == 0:
        raise SystemExit(f"JetStream stored no message in {seconds} s with every write flushed; choose more --seconds")
    return found


NAMES = {
    "martlet": "Martlet, flushed on a quorum", "default": "JetStream, flushed every two minutes (its default)",
    "flushed": "JetStream, every write flushed",
}


def rows(results):
    for entry in results["entries"]:
        scenario, runs = entry["scenario"], entry["runs"]
        for key, name in NAMES.items():
            ratios = (run["martlet"]["recordsPerSecond"] / run[key]["recordsPerSecond"] for run in runs)
            yield [
                f"{scenario['connections']} × {scenario['window']}", name,
                spread(run[key]["recordsPerSecond"] for run in runs),
                "" if key == "martlet" else spread(ratios, "{:.1f}"),
                f"{median(runs, key, 'p50'):.2f}", f"{median(runs, key, 'p99'):.2f}",
            ]


def render(results):
    yield f"nats-server {results['entries'][0]['runs'][0]['version']} of Debian, a stream with three replicas in files."
    yield ""
    yield from table(
        ["connections × messages under way", "server", "records/s", "Martlet is × as fast", "p50 ms", "p99 ms"],
        rows(results))


NATS = Scenario(
    "nats", "Martlet beside NATS JetStream: records of 100 B on three servers",
    [{"connections": connections, "window": window, "recordBytes": RECORD_BYTES, "payload": "random"}
     for connections, window in WINDOWS], run, render, durability="as the rows say")
