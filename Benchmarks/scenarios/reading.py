"""Consumers beside what reading costs at least, and producers beside consumers that are far behind."""

import json
import subprocess

from harness.brokers import Cluster, NullCluster, bench_command
from harness.results import Scenario, median, spread, table

from .throughput import CONNECTIONS, limits, load, timed

OLD_RECORDS = 1_000_000
# Enough that the beginning does not count.
COLD_RECORDS = 3_000_000
# A quarter of the blocks that a shard keeps in memory.
NEW_MIB = 8


def from_memory(seconds):
    """The newest records, again and again, and the same from the memory of a program that does nothing else."""
    found = {}
    for name, kind in (("martlet", lambda: Cluster(1)), ("ceiling", lambda: NullCluster(1, retain_mib=2 * NEW_MIB))):
        with kind() as cluster:
            cluster.bench("produce", *load(1024, 65_536, 5), "-n", NEW_MIB << 10)
            read = cluster.bench("consume", "-c", CONNECTIONS, *timed(seconds), "--topic", "bench")
            found[name] = read["megabytesPerSecond"]
    return found


def from_disk(seconds):
    """All of a compressed log, one consumer after a restart, and the codec alone on one core."""
    with Cluster(1) as cluster:
        cluster.bench("produce", *load(1024, 65_536, 5, "json", connections=1), "-n", COLD_RECORDS)
        cluster.stop()
        cluster.start()
        read = cluster.bench("consume", "-c", 1, "--topic", "bench")
    return {"martlet": read["megabytesPerSecond"],
            "ceiling": limits({}, seconds)["zstd"]["decompressMegabytesPerSecond"]}


READS = {
    "8 consumers, the newest records, beside the null broker's memory": from_memory,
    "1 consumer, JSON from disk after a restart, beside zstd on one core": from_disk,
}


def read_rows(results):
    for entry in results["entries"]:
        runs = entry["runs"]
        yield [entry["scenario"]["what"], *(f"{median(runs, name):.0f}" for name in ("martlet", "ceiling")),
               spread((run["martlet"] / run["ceiling"] for run in runs), "{:.2f}")]


READING = Scenario(
    "reads", "consumers of one broker beside what reading costs at least", [{"what": what} for what in READS],
    lambda entry, seconds: READS[entry["what"]](seconds),
    lambda results: table(["read", "Martlet MB/s", "ceiling MB/s", "share"], read_rows(results)),
    durability="none, this is about reading")


def lagging(entry, seconds):
    with Cluster(entry["brokers"]) as cluster:
        cluster.bench("produce", *load(1024, 65_536, 5, topic="old"), "-n", OLD_RECORDS)
        produce = ["produce", *load(1024, 65_536, 5), *timed(seconds)]
        alone = cluster.bench(*produce)
        # They begin before the producers and end after them, starting over at the end of what is there.
        readers = subprocess.Popen(
            bench_command(cluster.bootstrap, "consume", "-c", CONNECTIONS, "-d", seconds + 1, "--warmup", 1,
                          "--topic", "old"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        beside = cluster.bench(*produce)
        output, errors = readers.communicate(timeout=120)
        if readers.returncode != 0:
            raise SystemExit(errors)
    return {"alone": alone, "beside": beside, "read": json.loads(output)}


def rows(results):
    for entry in results["entries"]:
        runs = entry["runs"]
        share = [run["beside"]["recordsPerSecond"] / run["alone"]["recordsPerSecond"] * 100 for run in runs]
        yield [
            entry["scenario"]["brokers"], f"{median(runs, 'alone', 'payloadMegabytesPerSecond'):.0f}",
            f"{median(runs, 'beside', 'payloadMegabytesPerSecond'):.0f}", spread(share, "{:.0f} %"),
            f"{median(runs, 'read', 'megabytesPerSecond'):.0f}",
            f"{median(runs, 'alone', 'latency', 'p99'):.1f}", f"{median(runs, 'beside', 'latency', 'p99'):.1f}",
        ]


LAGGING = Scenario(
    "lagging", "producers while eight consumers read a gigabyte of old records from the beginning",
    [{"brokers": brokers} for brokers in (1, 3)], lagging,
    lambda results: table(
        ["brokers", "produced alone MB/s", "beside readers MB/s", "share", "read MB/s", "p99 ms alone",
         "p99 ms beside"], rows(results)))
