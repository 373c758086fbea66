"""Topics: created, described, grown and deleted, by request or by being named."""

import uuid

import pytest

from harness import requests
from harness.clients import ALL, WITH_ADMIN, ConfluentClient, Refused
from harness.records import Record, batch
from harness.waiting import wait_until
from harness.wire import Connection

every_admin = pytest.mark.parametrize("client", WITH_ADMIN, ids=lambda client: client.name)


@pytest.mark.feature("creating, listing and deleting topics")
@every_admin
def test_a_topic_is_created_listed_and_deleted(cluster, name, client):
    client.create_topic(cluster.bootstrap, name, partitions=3)
    assert wait_until(lambda: client.topics(cluster.bootstrap).get(name), "the topic is listed") == 3
    client.delete_topic(cluster.bootstrap, name)
    wait_until(lambda: name not in client.topics(cluster.bootstrap), "the topic is no longer listed")


@pytest.mark.feature("errors of administration")
@every_admin
def test_administration_that_cannot_be_done_is_refused_with_its_error(cluster, topic, name, client):
    for code, action in [
        (36, lambda: client.create_topic(cluster.bootstrap, topic)),
        (17, lambda: client.create_topic(cluster.bootstrap, "no spaces")),
        (37, lambda: client.create_topic(cluster.bootstrap, name + "-none", partitions=0)),
        (40, lambda: client.create_topic(cluster.bootstrap, name + "-bad", configs={"no.such.key": "1"})),
        (40, lambda: client.create_topic(cluster.bootstrap, name + "-bad", configs={"retention.ms": "soon"})),
        (3, lambda: client.delete_topic(cluster.bootstrap, name + "-missing")),
        (37, lambda: client.add_partitions(cluster.bootstrap, topic, 1)),
    ]:
        with pytest.raises(Refused) as refused:
            action()
        assert refused.value.code == code
    assert not any(found.startswith(name + "-") for found in client.topics(cluster.bootstrap))


@pytest.mark.feature("adding partitions")
@every_admin
def test_added_partitions_take_records_and_the_old_ones_keep_theirs(cluster, topic, client):
    client.produce(cluster.bootstrap, topic, [Record(b"before")])
    client.add_partitions(cluster.bootstrap, topic, 4)
    for partition in range(4):
        cluster.leader(topic, partition)
    client.produce(cluster.bootstrap, topic, [Record(b"after")], partition=3)
    assert client.consume(cluster.bootstrap, topic, 0, 1, partition=0)[0].value == b"before"
    assert client.consume(cluster.bootstrap, topic, 0, 1, partition=3)[0].value == b"after"


@pytest.mark.feature("describing topic configurations")
@every_admin
def test_configs_of_a_topic_are_described_with_what_was_set(cluster, name, client):
    client.create_topic(cluster.bootstrap, name, configs={"retention.ms": "123456", "max.message.bytes": "2000"})
    cluster.leader(name)  # From here on every broker knows the topic, whichever the client asks.
    configs = client.topic_configs(cluster.bootstrap, name)
    assert configs["retention.ms"] == "123456"
    assert configs["max.message.bytes"] == "2000"
    assert configs["cleanup.policy"] == "delete"
    assert configs["message.timestamp.type"] == "CreateTime"


@pytest.mark.feature("creating topics by naming them")
@pytest.mark.parametrize("client", ALL, ids=lambda client: client.name)
def test_producing_to_a_missing_topic_creates_it(cluster, name, client):
    client.produce(cluster.bootstrap, name, [Record(b"first")])
    assert client.consume(cluster.bootstrap, name, 0, 1)[0].value == b"first"


def test_without_auto_creation_a_missing_topic_stays_missing(start_cluster, name):
    alone = start_cluster(size=1, options=["--auto-create-topics", "false"])
    with Connection(alone.bootstrap) as connection:
        asked = requests.metadata(connection, [name], auto_create=True)
        assert asked.topics[name].error == requests.UNKNOWN_TOPIC_OR_PARTITION
        assert requests.produce(connection, name, batch([b"x"])).error == requests.UNKNOWN_TOPIC_OR_PARTITION
        assert requests.metadata(connection, None).topics == {}


def test_asking_without_permission_to_create_creates_nothing(cluster, name):
    with Connection(cluster.brokers[0].address) as connection:
        asked = requests.metadata(connection, [name], auto_create=False)
        assert asked.topics[name].error == requests.UNKNOWN_TOPIC_OR_PARTITION
        assert name not in requests.metadata(connection, None).topics


def test_the_number_of_partitions_of_a_created_topic_is_the_brokers_default(start_cluster, name):
    alone = start_cluster(size=1, options=["--default-partitions", "5"])
    with Connection(alone.bootstrap) as connection:
        requests.metadata(connection, [name], auto_create=True)
    wait_until(
        lambda: len(alone.metadata(alone.brokers[0], [name]).topics[name].partitions) == 5, "five partitions exist")


def test_a_deleted_topic_that_is_created_again_begins_empty(cluster, name):
    client = ConfluentClient()
    for round in range(2):
        cluster.create_topic(name)
        content = b"round %d %s" % (round, uuid.uuid4().hex.encode())
        client.produce(cluster.bootstrap, name, [Record(content)])
        assert client.watermarks(cluster.bootstrap, name) == (0, 1)
        assert client.consume(cluster.bootstrap, name, 0, 1)[0].value == content
        client.delete_topic(cluster.bootstrap, name)
        for broker in cluster.brokers:
            wait_until(
                lambda: cluster.metadata(broker, [name]).topics[name].error == requests.UNKNOWN_TOPIC_OR_PARTITION,
                f"broker {broker.node_id} has forgotten the topic")


def test_administration_sent_to_any_broker_is_carried_out(cluster, name):
    for broker in cluster.brokers:
        with Connection(broker.address) as connection:
            assert requests.create_topic(connection, f"{name}-{broker.node_id}") == 0
    for broker in cluster.brokers:
        wait_until(
            lambda: sum(found.startswith(name) for found in cluster.metadata(broker, None).topics) == 3,
            f"broker {broker.node_id} knows the three topics")
