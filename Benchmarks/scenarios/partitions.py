"""Many partitions, and several shards."""

import subprocess
import time

from harness.brokers import PATIENCE, Cluster
from harness.needs import product
from harness.results import Scenario, median, spread, table

from .throughput import CONNECTIONS, load, timed

COUNTS = [1, 10_000, 100_000]


def create(cluster, topic, partitions):
    """Seconds that it takes, until the command that creates it has its answer."""
    begun = time.monotonic()
    done = subprocess.run(
        [product("martlet"), "topic", "create", topic, "--partitions", str(partitions), "--bootstrap",
         cluster.bootstrap, "--timeout", str(PATIENCE)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return time.monotonic() - begun


def partitions(entry, seconds):
    """Every partition gets a record; then the usual load goes over all of them in turn."""
    with Cluster(entry["brokers"]) as cluster:
        create(cluster, "first", 1)
        created = create(cluster, "bench", entry["partitions"])
        # The same number for every count, so that the logs are alike and memory can be compared.
        cluster.bench("produce", *load(100, 100, 64), "-n", 2 * COUNTS[-1])
        resident = max(cluster.resident())
        produced = cluster.bench("produce", *load(100, 16_384, 16), *timed(seconds))
    return {"createSeconds": created, "residentBytes": resident, "produce": produced}


def partition_rows(results):
    base = {entry["scenario"]["brokers"]: entry["runs"] for entry in results["entries"]
            if entry["scenario"]["partitions"] == 1}
    for entry in results["entries"]:
        scenario, runs = entry["scenario"], entry["runs"]
        one, count = base[scenario["brokers"]], scenario["partitions"]
        rate = median(runs, "produce", "recordsPerSecond") / median(one, "produce", "recordsPerSecond")
        memory = (median(runs, "residentBytes") - median(one, "residentBytes")) / count
        yield [
            scenario["brokers"], f"{count:,}", spread((run["createSeconds"] for run in runs), "{:.2f}"),
            spread(run["produce"]["payloadMegabytesPerSecond"] for run in runs), f"{rate * 100:.0f} %",
            f"{median(runs, 'produce', 'latency', 'p99'):.1f}", "" if count == 1 else f"{memory:.0f}",
        ]


PARTITIONS = Scenario(
    "partitions", "one topic with 1, 10,000 and 100,000 partitions, all in use",
    [{"brokers": brokers, "partitions": count} for brokers in (1, 3) for count in COUNTS], partitions,
    lambda results: table(
        ["brokers", "partitions", "created in s", "MB/s", "of one partition's", "p99 ms", "bytes of memory each"],
        partition_rows(results)))


def shards(entry, seconds):
    with Cluster(entry["brokers"], options=["--shards", str(entry["shards"])]) as cluster:
        create(cluster, "bench", entry["partitions"])
        return cluster.bench("produce", *load(100, 16_384, entry["depth"]), *timed(seconds))


def shard_rows(results):
    def rates(entry):
        return [run["payloadMegabytesPerSecond"] for run in entry["runs"]]

    def load_of(entry):
        return entry["scenario"]["brokers"], entry["scenario"]["depth"]

    one_shard = {load_of(entry): rates(entry) for entry in results["entries"] if entry["scenario"]["shards"] == 1}
    for entry in results["entries"]:
        scenario, runs = entry["scenario"], entry["runs"]
        # Of the same round, since the machine is not the same in all of them.
        ratios = [rate / other for rate, other in zip(rates(entry), one_shard[load_of(entry)])]
        yield [
            scenario["brokers"], f"{CONNECTIONS} × {scenario['depth']}", scenario["shards"], spread(rates(entry)),
            spread(ratios, "{:.2f}"), f"{median(runs, 'latency', 'p99'):.1f}",
            spread(max(broker["peakResidentBytes"] for broker in run["brokers"]) / 1e6 for run in runs),
        ]


SHARDS = Scenario(
    "shards", "twelve partitions in one Raft group and in four",
    [{"brokers": brokers, "depth": depth, "shards": shards, "partitions": 12}
     for brokers in (1, 3) for depth in (16, 32) for shards in (1, 4)], shards,
    lambda results: table(
        ["brokers", "connections × depth", "shards", "MB/s", "of one shard's", "p99 ms", "peak MB"],
        shard_rows(results)))
