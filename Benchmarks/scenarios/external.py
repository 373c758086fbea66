"""Any broker that speaks Kafka's protocol, given by its address, under the loads of `produce`."""

import subprocess
import uuid

from harness.brokers import bench
from harness.needs import product
from harness.results import Scenario, median, size, spread, table

from .throughput import CONNECTIONS, load_of, loads, timed


def run(address, entry, seconds):
    """Into a topic of its own, which is deleted afterwards."""
    topic = f"martlet-bench-{uuid.uuid4().hex[:8]}"
    try:
        return bench(address, "produce", *load_of(entry, topic), *timed(seconds))
    finally:
        subprocess.run([product("martlet"), "topic", "delete", topic, "--bootstrap", address], capture_output=True)


def rows(results):
    for entry in results["entries"]:
        scenario, runs = entry["scenario"], entry["runs"]
        yield [
            f"{scenario['record']} B {scenario['payload']}", size(scenario["batch"]),
            f"{CONNECTIONS} × {scenario['depth']}", spread(run["payloadMegabytesPerSecond"] for run in runs),
            f"{median(runs, 'recordsPerSecond') / 1000:.0f} k", f"{median(runs, 'latency', 'p50'):.1f}",
            f"{median(runs, 'latency', 'p99'):.1f}",
        ]


def scenario(address):
    return Scenario(
        "external", f"the broker at {address}", [one for one in loads() if one["compression"] != "off"],
        lambda entry, seconds: run(address, entry, seconds),
        lambda results: table(
            ["record", "batch", "connections × depth", "MB/s", "records/s", "p50 ms", "p99 ms"], rows(results)),
        durability=f"that of the broker at {address}")
