"""One or three brokers that form a cluster, and what a test may ask of it."""

import json
import subprocess

from harness import requests
from harness.broker import BINARY, Broker, free_port
from harness.waiting import wait_until
from harness.wire import Connection


class Cluster:
    def __init__(self, directory, size=3, options=()):
        self.options = list(options)
        self.brokers = []
        peers = {number: free_port() for number in range(1, size + 1)}
        spec = ",".join(f"{number}=127.0.0.1:{port}" for number, port in peers.items()) if size > 1 else None
        for number, port in peers.items():
            self.brokers.append(Broker(number, directory / f"node{number}", spec, peer_port=port, options=options))

    @property
    def bootstrap(self):
        return ",".join(broker.address for broker in self.brokers)

    @property
    def running(self):
        return [broker for broker in self.brokers if broker.is_running]

    def broker(self, node_id):
        return self.brokers[node_id - 1]

    def start(self):
        for broker in self.brokers:
            broker.launch()
        self.wait_until_serving()

    def restart_all(self):
        self.start()

    def wait_until_serving(self):
        """Waits until every running broker knows a leader and every other running broker."""
        expected = {broker.node_id for broker in self.running}
        for broker in self.running:
            def knows_all():
                metadata = self.metadata(broker)
                return metadata and metadata.controller in expected and expected <= set(metadata.brokers)
            wait_until(knows_all, f"broker {broker.node_id} knows the leader and the brokers {expected}")

    def metadata(self, broker, topics=()):
        """The cluster as one broker describes it; None if that broker cannot be asked."""
        try:
            with Connection(broker.address) as connection:
                return requests.metadata(connection, topics)
        except OSError:
            return None

    def leader(self, topic, partition=0, other_than=None):
        """The running broker that leads the partition, once the running brokers agree on one."""
        def agreed():
            leaders = {self._leader_as_seen(broker, topic, partition) for broker in self.running}
            if len(leaders) != 1:
                return None
            leader = self.broker(leaders.pop() or 0) if None not in leaders else None
            return leader if leader and leader.is_running and leader is not other_than else None
        return wait_until(agreed, f"all brokers name the same leader of {topic}-{partition}")

    def _leader_as_seen(self, broker, topic, partition):
        metadata = self.metadata(broker, [topic])
        found = metadata and metadata.topics[topic].partitions.get(partition)
        return found.leader if found and found.leader >= 0 else None

    def followers(self, topic, partition=0):
        leader = self.leader(topic, partition)
        return [broker for broker in self.running if broker is not leader]

    def create_topic(self, name, partitions=1, **configs):
        """Creates a topic through any broker and waits until every broker names a leader for each partition."""
        settings = {key.replace("_", "."): str(value) for key, value in configs.items()}
        errors = []

        def is_settled():
            with Connection(self.running[0].address) as connection:
                errors.append(requests.create_topic(connection, name, partitions, settings))
            return errors[-1] != requests.NOT_CONTROLLER

        # Between a start and the first election nobody can create it: clients try again, too.
        wait_until(is_settled, f"a broker that can create {name}")
        assert errors[-1] == 0, f"creating {name} failed with error {errors[-1]}"
        for partition in range(partitions):
            self.leader(name, partition)
        return name

    def kill_all(self):
        for broker in self.running:
            broker.kill()

    def stop_all(self):
        for broker in self.running:
            broker.stop()

    def discard(self):
        for broker in self.brokers:
            broker.discard()


def verify_log(broker):
    """What `martlet log verify` says of a broker's log: its exit status and its objects."""
    run = subprocess.run([BINARY, "log", "verify", str(broker.data_dir), "--json"], capture_output=True, text=True)
    return run.returncode, [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]


def segments_of(broker):
    """Shard, first and last index and bytes of every segment, as verified."""
    _, items = verify_log(broker)
    return [
        (item["shard"], item["base"], item["last"], item["bytes"]) for item in items if item["kind"] == "segment"]


def stop_and_compare_logs(cluster, shards=1):
    """Compares the files of all brokers byte for byte, each up to the end of its data, and stops them.

    They are paused together meanwhile: of brokers that are stopped one by one those that are left may elect a leader,
    which appends."""
    def are_equal():
        for broker in cluster.brokers:
            broker.pause()
        if len({tuple(segments_of(broker)) for broker in cluster.brokers}) == 1:
            return True
        for broker in cluster.brokers:
            broker.resume()
        return False

    wait_until(are_equal, "all logs end at the same entry")
    contents = []
    for broker in cluster.brokers:
        status, items = verify_log(broker)
        assert status == 0, f"log verify finds damage on broker {broker.node_id}: {items}"
        segments = segments_of(broker)
        assert {shard for shard, *_ in segments} == set(range(shards))
        content = {}
        for shard, base, last, size in segments:
            with open(broker.log_directory(shard) / f"{base:020}.log", "rb") as file:
                content[shard, base, last] = file.read(size)
        contents.append(content)
    for broker, content in zip(cluster.brokers, contents):
        assert content.keys() == contents[0].keys(), f"broker {broker.node_id} cut its log into other segments than 1"
        for (shard, base, last), data in content.items():
            assert data == contents[0][shard, base, last], (
                f"shard {shard}, segment {base}: the bytes of broker {broker.node_id} and broker 1 differ")
    for broker in cluster.brokers:
        broker.resume()
    cluster.stop_all()
