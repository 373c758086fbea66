"""Several Raft groups in one cluster: partitions in different ones, leaders on different brokers."""

import pytest

from harness.clients import ALL, ConfluentClient
from harness.cluster import Cluster, stop_and_compare_logs
from harness.records import Record
from harness.waiting import wait_until
from harness.workload import NumberedWriter

PARTITIONS = 9


@pytest.fixture(scope="module")
def sharded(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("sharded"), options=["--shards", "3"])
    cluster.start()
    yield cluster
    cluster.discard()


def leaders(cluster, topic):
    return [cluster.leader(topic, partition) for partition in range(PARTITIONS)]


@pytest.mark.feature("partitions in several shards")
@pytest.mark.parametrize("client", ALL, ids=lambda client: client.name)
def test_every_client_writes_and_reads_all_partitions(sharded, name, client):
    topic = sharded.create_topic(name, partitions=PARTITIONS)
    for partition in range(PARTITIONS):
        client.produce(sharded.bootstrap, topic, [Record(b"%d" % partition)] * 2, partition=partition)
    for partition in range(PARTITIONS):
        read = client.consume(sharded.bootstrap, topic, 0, 2, partition=partition)
        assert [(record.value, record.offset) for record in read] == [(b"%d" % partition, 0), (b"%d" % partition, 1)]


def test_the_leaders_of_the_shards_spread_over_the_brokers(sharded, name):
    topic = sharded.create_topic(name, partitions=PARTITIONS)
    assert len({leader.node_id for leader in leaders(sharded, topic)}) == 3


def test_a_topic_deleted_and_created_again_is_empty_in_every_shard(sharded, name):
    client = ConfluentClient()
    for round in range(2):
        topic = sharded.create_topic(name, partitions=PARTITIONS)
        for partition in range(PARTITIONS):
            assert client.watermarks(sharded.bootstrap, topic, partition) == (0, 0), f"round {round}"
            client.produce(sharded.bootstrap, topic, [Record(b"x")], partition=partition)
        client.delete_topic(sharded.bootstrap, topic)
        wait_until(
            lambda: all(topic not in sharded.metadata(broker, None).topics for broker in sharded.brokers),
            "every broker has forgotten the topic")


def test_killing_a_leader_loses_nothing_in_any_shard(sharded, name):
    topic = sharded.create_topic(name, partitions=PARTITIONS)
    with NumberedWriter(sharded.bootstrap, topic, partitions=PARTITIONS) as writer:
        writer.wait_for_more()
        victim = sharded.leader(topic, 4)
        victim.kill()
        writer.wait_for_more()
        victim.start()
        writer.wait_for_more()
        sharded.kill_all()
        sharded.restart_all()
        writer.wait_for_more()
        writer.finish()
    sharded.wait_until_serving()
    writer.check(sharded)
    # The last of the file: it stops the brokers.
    stop_and_compare_logs(sharded, shards=3)
