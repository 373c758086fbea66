"""A change of leader under clients that write and read: each of them finds the new one and goes on."""

import threading

import pytest

from harness import requests
from harness.clients import WITH_ADMIN, ConfluentClient
from harness.cluster import Cluster
from harness.records import Record, batch
from harness.waiting import wait_until
from harness.wire import Connection
from harness.workload import NumberedWriter, read_all, stored_batches

by_name = {"ids": lambda client: client.name}


def change_leader(cluster, topic):
    """Kills the leader, waits for the next, and starts the old one again."""
    old = cluster.leader(topic)
    old.kill()
    new = cluster.leader(topic, other_than=old)
    old.start()
    return old, new


@pytest.fixture(scope="module")
def troubled(tmp_path_factory):
    """A cluster whose leader changes with every test of this file."""
    cluster = Cluster(tmp_path_factory.mktemp("troubled"))
    cluster.start()
    yield cluster
    cluster.discard()


@pytest.fixture
def topic(troubled, name):
    troubled.wait_until_serving()
    return troubled.create_topic(name)


def test_an_idempotent_producer_loses_and_repeats_nothing_over_changes_of_leader(troubled, name):
    topic = troubled.create_topic(name, partitions=3)
    with NumberedWriter(troubled.bootstrap, topic, partitions=3) as writer:
        for _ in range(3):
            writer.wait_for_more()
            change_leader(troubled, topic)
        writer.wait_for_more()
        writer.finish()
    writer.check(troubled)
    epochs = {header.epoch for header in stored_batches(troubled, topic)}
    assert len(epochs) >= 2, "the leader did not change while the records were written"


@pytest.mark.feature("producer over a change of leader")
@pytest.mark.parametrize("client", WITH_ADMIN, **by_name)
def test_producers_find_the_new_leader(troubled, topic, client):
    client.produce(troubled.bootstrap, topic, [Record(b"before")], idempotent=True)
    change_leader(troubled, topic)
    client.produce(troubled.bootstrap, topic, [Record(b"after")], idempotent=True)
    assert read_all(troubled, topic) == [b"before", b"after"]


@pytest.mark.feature("consumer over a change of leader")
@pytest.mark.parametrize("client", WITH_ADMIN, **by_name)
def test_consumers_go_on_over_a_change_of_leader(troubled, topic, client):
    found = []
    first_half = [Record(b"%d" % number) for number in range(50)]
    second_half = [Record(b"%d" % number) for number in range(50, 100)]
    consumer = threading.Thread(
        target=lambda: found.extend(client.consume(troubled.bootstrap, topic, 0, 100)), daemon=True)
    ConfluentClient().produce(troubled.bootstrap, topic, first_half)
    consumer.start()
    change_leader(troubled, topic)
    ConfluentClient().produce(troubled.bootstrap, topic, second_half)
    consumer.join(timeout=60)
    assert [record.value for record in found] == [record.value for record in first_half + second_half]


def test_a_fetch_that_waits_at_the_old_leader_ends_when_it_steps_down(troubled, topic):
    leader = troubled.leader(topic)
    first, second = troubled.followers(topic)
    with Connection(leader.address, timeout=60) as connection:
        waiting = requests.send_fetch(connection, topic, 0, max_wait=50_000)
        first.kill()
        second.kill()
        # Without a quorum the leader steps down; whoever waits must be told to look for another.
        assert requests.receive_fetch(connection, waiting).error == requests.NOT_LEADER_OR_FOLLOWER
    first.start()
    second.start()


def test_a_repeated_batch_gets_its_first_offset_from_the_new_leader(troubled, topic):
    with Connection(troubled.leader(topic).address) as connection:
        producer_id, epoch = requests.init_producer_id(connection)
        sent = [
            batch([b"%d" % sequence], producer_id=producer_id, epoch=epoch, sequence=sequence) for sequence in range(3)
        ]
        for sequence, data in enumerate(sent):
            assert requests.produce(connection, topic, data).base_offset == sequence
    _, new = change_leader(troubled, topic)
    with Connection(new.address) as connection:
        for sequence, data in enumerate(sent):
            repeated = requests.produce(connection, topic, data)
            assert (repeated.error, repeated.base_offset) == (0, sequence)
        gap = batch([b"4"], producer_id=producer_id, epoch=epoch, sequence=4)
        assert requests.produce(connection, topic, gap).error == requests.NOT_LEADER_OR_FOLLOWER
        stale = batch([b"3"], producer_id=producer_id, epoch=epoch - 1, sequence=3)
        assert requests.produce(connection, topic, stale).error != 0
    assert read_all(troubled, topic) == [b"0", b"1", b"2"]


def test_the_leader_epoch_grows_with_every_change(troubled, topic):
    def epoch(broker):
        return troubled.metadata(broker, [topic]).topics[topic].partitions[0].leader_epoch

    before = epoch(troubled.leader(topic))
    _, new = change_leader(troubled, topic)
    troubled.leader(topic)  # Waits until the restarted broker knows the topic too.
    assert epoch(new) > before
    with Connection(new.address) as connection:
        assert requests.fetch(connection, topic, 0, leader_epoch=before).error == 74
    wait_until(
        lambda: {epoch(broker) for broker in troubled.brokers} == {epoch(new)}, "all brokers name the same epoch")


def test_an_orderly_stop_of_the_leader_is_not_noticed_by_an_idempotent_producer(troubled, topic):
    with NumberedWriter(troubled.bootstrap, topic) as writer:
        writer.wait_for_more()
        leader = troubled.leader(topic)
        leader.stop()
        writer.wait_for_more()
        leader.start()
        writer.finish()
    writer.check(troubled)
