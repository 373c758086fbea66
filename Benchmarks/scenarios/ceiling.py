"""Martlet beside the null broker: what durability on this machine costs at least, and Martlet's share of it."""

from harness.brokers import Cluster, NullCluster
from harness.results import Scenario, median, size, spread, table

from .throughput import load, timed

# Record bytes, batch bytes, connections, requests in flight on each.
LOADS = [
    (100, 16_384, 8, 32), (100, 65_536, 8, 5), (100, 1_048_576, 8, 3),
    (16_000, 16_384, 1, 1), (1024, 1024, 64, 1),
]


def run(entry, seconds):
    """One straight after the other, so that both meet the same machine."""
    found = {}
    kinds = {"martlet": Cluster, "null": NullCluster, "keeping": lambda size: NullCluster(size, keeping=True)}
    for name, kind in kinds.items():
        with kind(entry["brokers"]) as cluster:
            found[name] = cluster.bench(
                "produce", *load(entry["record"], entry["batch"], entry["depth"], "random", entry["connections"]),
                *timed(seconds))
    return found


def rows(results):
    for entry in results["entries"]:
        scenario, runs = entry["scenario"], entry["runs"]
        yield [
            scenario["brokers"], f"{scenario['record']} B", size(scenario["batch"]),
            f"{scenario['connections']} × {scenario['depth']}",
            *(f"{median(runs, name, 'payloadMegabytesPerSecond'):.0f}" for name in ("martlet", "null", "keeping")),
            *(spread((one["martlet"]["requestsPerSecond"] / one[name]["requestsPerSecond"] for one in runs), "{:.2f}")
              for name in ("null", "keeping")),
            f"{median(runs, 'martlet', 'requestsPerSecond'):.0f}",
            *(" / ".join(f"{median(runs, name, 'latency', key):.2f}" for name in ("martlet", "null"))
              for key in ("p50", "p99")),
        ]


CEILING = Scenario(
    "ceiling", "Martlet and the null broker, which flushes on a majority and does nothing else",
    [{"brokers": brokers, "record": record, "batch": batch, "connections": connections, "depth": depth}
     for brokers in (1, 3) for record, batch, connections, depth in LOADS], run,
    lambda results: table(
        ["brokers", "record", "batch", "connections × depth", "Martlet MB/s", "null MB/s", "null, keeping, MB/s",
         "Martlet / null", "Martlet / null, keeping", "requests/s", "p50 ms, Martlet / null", "p99 ms, Martlet / null"],
        rows(results)))
