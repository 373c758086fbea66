"""kill -9 of one, two and all brokers: nothing acknowledged is lost, nothing is there twice, the order holds, and the
replicas' logs are the same to the byte."""

import pytest

from harness import requests
from harness.cluster import stop_and_compare_logs
from harness.records import batch
from harness.waiting import wait_until
from harness.wire import Connection
from harness.workload import NumberedWriter, read_all


# The kills then fall before, into and behind the change from one file to the next.
SMALL_SEGMENTS = ["--segment-mib", "1"]


@pytest.mark.parametrize("victim", ["leader", "follower"])
def test_killing_one_broker_loses_and_repeats_nothing(start_cluster, name, victim):
    cluster = start_cluster(options=SMALL_SEGMENTS)
    topic = cluster.create_topic(name, partitions=2)
    with NumberedWriter(cluster.bootstrap, topic, partitions=2, padding=2_000) as writer:
        writer.wait_for_more()
        leader = cluster.leader(topic)
        killed = leader if victim == "leader" else cluster.followers(topic)[0]
        killed.kill()
        writer.wait_for_more()
        killed.start()
        writer.wait_for_more()
        writer.finish()
    cluster.wait_until_serving()
    writer.check(cluster)
    stop_and_compare_logs(cluster)


def test_killing_all_brokers_again_and_again_loses_and_repeats_nothing(start_cluster, name):
    cluster = start_cluster(options=SMALL_SEGMENTS)
    topic = cluster.create_topic(name, partitions=2)
    with NumberedWriter(cluster.bootstrap, topic, partitions=2, padding=2_000) as writer:
        for _ in range(3):
            writer.wait_for_more()
            cluster.kill_all()
            cluster.restart_all()
        writer.wait_for_more()
        writer.finish()
    writer.check(cluster)
    stop_and_compare_logs(cluster)


def test_a_single_broker_killed_and_restarted_keeps_everything(start_cluster, name):
    alone = start_cluster(size=1, options=SMALL_SEGMENTS)
    topic = alone.create_topic(name, partitions=3)
    with NumberedWriter(alone.bootstrap, topic, partitions=3, padding=2_000) as writer:
        for _ in range(3):
            writer.wait_for_more()
            alone.kill_all()
            alone.start()
        writer.finish()
    writer.check(alone)


def test_a_minority_takes_no_writes_and_a_majority_again_does(start_cluster, name):
    cluster = start_cluster()
    topic = cluster.create_topic(name)
    leader = cluster.leader(topic)
    first, second = cluster.followers(topic)
    with Connection(leader.address) as connection:
        assert requests.produce(connection, topic, batch([b"by three"])).base_offset == 0
        first.kill()
        assert requests.produce(connection, topic, batch([b"by two"])).base_offset == 1
        second.kill()
        waiting = requests.send_produce(connection, topic, batch([b"by one"]), timeout=1_000)
        answer = requests.receive_produce(connection, waiting)
        assert answer.error in (requests.NOT_LEADER_OR_FOLLOWER, 7), "one broker of three must not acknowledge"
    first.start()
    second.start()
    cluster.wait_until_serving()
    # The third record was not acknowledged: it may or may not be there, but in its place and once.
    assert read_all(cluster, topic)[:2] == [b"by three", b"by two"]
    assert read_all(cluster, topic)[2:] in ([], [b"by one"])


def test_a_broker_that_knows_no_leader_asks_clients_to_try_again(start_cluster, name):
    cluster = start_cluster()
    topic = cluster.create_topic(name)
    cluster.kill_all()
    lonely = cluster.brokers[0]
    # It has the topic in its log, but alone it cannot know what of its log is committed.
    lonely.start()
    with Connection(lonely.address) as connection:
        found = requests.metadata(connection, [topic]).topics[topic]
        assert found.error == requests.LEADER_NOT_AVAILABLE, "a topic that exists must not be called unknown"
        # Not COORDINATOR_NOT_AVAILABLE: clients would look for a coordinator, which only transactions have.
        assert requests.try_init_producer_id(connection)[0] == requests.COORDINATOR_LOAD_IN_PROGRESS
        assert requests.produce(connection, topic, batch([b"x"])).error in (
            requests.NOT_LEADER_OR_FOLLOWER, requests.LEADER_NOT_AVAILABLE)
        assert requests.fetch(connection, topic, 0).error in (
            requests.NOT_LEADER_OR_FOLLOWER, requests.LEADER_NOT_AVAILABLE)
        assert requests.list_offset(connection, topic, requests.LATEST)[0] in (
            requests.NOT_LEADER_OR_FOLLOWER, requests.LEADER_NOT_AVAILABLE)
        assert requests.create_topic(connection, name + "-other") == requests.NOT_CONTROLLER


def test_a_broker_that_was_away_long_catches_up_to_the_same_bytes(start_cluster, name):
    cluster = start_cluster(options=SMALL_SEGMENTS)
    topic = cluster.create_topic(name)
    away = cluster.followers(topic)[0]
    away.kill()
    with Connection(cluster.leader(topic).address) as connection:
        pattern = bytes(range(256)) * 40
        for number in range(200):
            # Every payload is another one, so that compression cannot shrink them to a single segment.
            data = b"".join(bytes([byte ^ number]) for byte in pattern) + number.to_bytes(4) * 500
            assert requests.produce(connection, topic, batch([data], codec=1)).base_offset == number
    away.start()
    cluster.wait_until_serving()
    leader = cluster.leader(topic)
    for other in cluster.brokers:
        if other not in (leader, away):
            other.kill()
    # Two of three are a majority only if the one that was away has everything up to this record.
    with Connection(leader.address) as connection:
        assert requests.produce(connection, topic, batch([b"seen by both"])).base_offset == 200
    for broker in cluster.brokers:
        if not broker.is_running:
            broker.start()
    cluster.wait_until_serving()
    stop_and_compare_logs(cluster)


def test_a_paused_leader_that_wakes_up_steps_back_and_loses_nothing(start_cluster, name):
    cluster = start_cluster()
    topic = cluster.create_topic(name)
    with NumberedWriter(cluster.bootstrap, topic) as writer:
        writer.wait_for_more()
        paused = cluster.leader(topic)
        paused.pause()
        others = [broker for broker in cluster.brokers if broker is not paused]

        def has_new_leader():
            found = cluster.metadata(others[0], [topic])
            return found and found.topics[topic].partitions[0].leader not in (-1, paused.node_id)

        wait_until(has_new_leader, "the others elect a new leader")
        paused.resume()
        writer.wait_for_more()
        writer.finish()
    cluster.wait_until_serving()
    writer.check(cluster)
    stop_and_compare_logs(cluster)


def test_committed_offsets_and_producers_survive_the_restart_of_all(start_cluster, name):
    cluster = start_cluster()
    topic = cluster.create_topic(name)
    with Connection(cluster.leader(topic).address) as connection:
        producer_id, epoch = requests.init_producer_id(connection)
        for sequence in range(5):
            sent = batch([b"%d" % sequence], producer_id=producer_id, epoch=epoch, sequence=sequence)
            assert requests.produce(connection, topic, sent).base_offset == sequence
    cluster.kill_all()
    cluster.restart_all()
    with Connection(cluster.leader(topic).address) as connection:
        repeated = batch([b"2"], producer_id=producer_id, epoch=epoch, sequence=2)
        assert requests.produce(connection, topic, repeated).base_offset == 2
        gap = batch([b"9"], producer_id=producer_id, epoch=epoch, sequence=9)
        assert requests.produce(connection, topic, gap).error == requests.NOT_LEADER_OR_FOLLOWER
        following = batch([b"5"], producer_id=producer_id, epoch=epoch, sequence=5)
        assert requests.produce(connection, topic, following).base_offset == 5
        assert requests.init_producer_id(connection)[0] > producer_id
    assert read_all(cluster, topic) == [b"%d" % sequence for sequence in range(6)]
