"""What administrators ask of a running cluster, with the tools they have: records deleted, topics reconfigured, and
questions about disks, leaders and the quorum."""

import confluent_kafka
import kafka
import pytest
from confluent_kafka import ElectionType
from confluent_kafka.admin import AdminClient
from kafka.admin import KafkaAdminClient

from harness.clients import WITH_ADMIN, ConfluentClient, Refused
from harness.records import Record
from harness.waiting import wait_until

every_admin = pytest.mark.parametrize("client", WITH_ADMIN, ids=lambda client: client.name)
replacing_configs = pytest.mark.parametrize(
    "client", [client for client in WITH_ADMIN if client.replace_configs], ids=lambda client: client.name)
changing_single_configs = pytest.mark.parametrize(
    "client", [client for client in WITH_ADMIN if client.change_configs], ids=lambda client: client.name)


@pytest.fixture
def admin(cluster):
    client = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    yield client
    client.close()


def fill(cluster, topic, count=10):
    ConfluentClient().produce(cluster.bootstrap, topic, [Record(b"%d" % number) for number in range(count)])


@pytest.mark.feature("deleting records")
@every_admin
def test_deleted_records_are_gone_for_every_reader(cluster, topic, client):
    fill(cluster, topic)
    assert client.delete_records(cluster.bootstrap, topic, 4) == 4
    assert client.watermarks(cluster.bootstrap, topic) == (4, 10)
    assert client.consume(cluster.bootstrap, topic, 4, 1)[0].value == b"4"
    with pytest.raises(Refused) as refused:
        client.delete_records(cluster.bootstrap, topic, 11)
    assert refused.value.code == 1
    assert client.delete_records(cluster.bootstrap, topic, -1) == 10
    assert client.watermarks(cluster.bootstrap, topic) == (10, 10)


def test_deleted_records_stay_deleted_over_a_change_of_leader_and_a_restart(start_cluster, name):
    three = start_cluster()
    topic = three.create_topic(name)
    fill(three, topic)
    client = ConfluentClient()
    assert client.delete_records(three.bootstrap, topic, 7) == 7
    leader = three.leader(topic)
    leader.kill()
    three.leader(topic, other_than=leader)
    assert client.watermarks(three.bootstrap, topic) == (7, 10)
    three.kill_all()
    three.restart_all()
    three.leader(topic)
    assert client.watermarks(three.bootstrap, topic) == (7, 10)
    assert client.consume(three.bootstrap, topic, 7, 3)[0].value == b"7"


@pytest.mark.feature("replacing topic configurations")
@replacing_configs
def test_a_topics_configuration_is_replaced_as_a_whole(cluster, name, client):
    topic = cluster.create_topic(name, retention_ms=1000, segment_ms=2000)
    client.replace_configs(cluster.bootstrap, topic, {"retention.ms": "3000"})

    def replaced():
        configs = client.topic_configs(cluster.bootstrap, topic)
        return (configs["retention.ms"], configs["segment.ms"]) == ("3000", "604800000")

    wait_until(replaced, "the broker that is asked knows the new configuration")
    with pytest.raises(Refused) as refused:
        client.replace_configs(cluster.bootstrap, topic, {"no.such.key": "1"})
    assert refused.value.code == 40


@pytest.mark.feature("changing single topic configurations")
@changing_single_configs
def test_single_keys_are_changed_and_take_effect(cluster, name, client):
    topic = cluster.create_topic(name, retention_ms=1000)
    client.change_configs(cluster.bootstrap, topic, {"max.message.bytes": "1000"}, validate_only=True)
    client.produce(cluster.bootstrap, topic, [Record(b"x" * 2000)])
    client.change_configs(cluster.bootstrap, topic, {"max.message.bytes": "1000", "retention.ms": None})
    with pytest.raises(Refused) as refused:
        client.produce(cluster.bootstrap, topic, [Record(b"x" * 2000)])
    assert refused.value.code == 10
    client.change_configs(cluster.bootstrap, topic, {"max.message.bytes": None})
    client.produce(cluster.bootstrap, topic, [Record(b"x" * 2000)])
    for configs in ({"no.such.key": "1"}, {"retention.ms": "soon"}, {"cleanup.policy": "shred"}):
        with pytest.raises(Refused) as refused:
            client.change_configs(cluster.bootstrap, topic, configs)
        assert refused.value.code == 40


def test_every_broker_tells_its_directory_with_its_partitions_and_the_room_on_its_disk(cluster, topic, admin):
    fill(cluster, topic)

    def described():
        found = admin.describe_log_dirs([topic])
        sizes = [
            partition["partition_size"]
            for broker in found for directory in broker["log_dirs"] for entry in directory["topics"]
            for partition in entry["partitions"]
        ]
        # Followers apply a moment later.
        return found if len(sizes) == 3 and len(set(sizes)) == 1 and sizes[0] > 0 else None

    found = wait_until(described, "all brokers tell the same size")
    directories = {directory["log_dir"] for broker in found for directory in broker["log_dirs"]}
    assert directories == {str(broker.data_dir) for broker in cluster.brokers}
    for broker in found:
        for directory in broker["log_dirs"]:
            assert directory["error_code"] == 0
            assert 0 < directory["usable_bytes"] < directory["total_bytes"]


def test_the_quorum_of_the_metadata_is_described(cluster, topic, admin):
    def described():
        (found,) = admin.describe_metadata_quorum()["topics"]
        (partition,) = found["partitions"]
        ends = {voter["log_end_offset"] for voter in partition["current_voters"]}
        return partition if ends == {partition["high_watermark"]} else None

    partition = wait_until(described, "all voters have everything")
    assert partition["leader_id"] == cluster.leader(topic).node_id
    assert partition["leader_epoch"] > 0
    assert [voter["replica_id"] for voter in partition["current_voters"]] == [1, 2, 3]
    assert all(voter["last_caught_up_timestamp"] > 0 for voter in partition["current_voters"])


def test_topics_are_described_page_by_page(cluster, name, admin):
    topic = cluster.create_topic(name, partitions=3)
    found, cursor = [], None
    while True:
        page = admin.describe_topic_partitions([topic], response_partition_limit=2, cursor=cursor)
        found += [partition["partition_index"] for entry in page["topics"] for partition in entry["partitions"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == [0, 1, 2]


def test_elections_are_answered_with_how_things_stand(cluster, name, admin):
    topic = cluster.create_topic(name)
    (described,) = admin.describe_topics([topic])
    preferred = described["partitions"][0]["replica_nodes"][0]
    expected = 84 if cluster.leader(topic).node_id == preferred else 80
    place = confluent_kafka.TopicPartition(topic, 0)
    client = AdminClient({"bootstrap.servers": cluster.bootstrap})
    found = client.elect_leaders(ElectionType.PREFERRED, [place]).result(30)
    assert found[place].code() == expected
    answered = admin.elect_leaders(0, {topic: [0]}, raise_errors=False)
    assert answered.replica_election_results[0].partition_result[0].error_code == expected


def test_no_partition_is_being_moved_or_can_be(cluster, topic, admin):
    assert admin.list_partition_reassignments() == {}
    place = kafka.TopicPartition(topic, 0)
    assert admin.alter_partition_reassignments({place: [1]})[place] is kafka.errors.for_code(39)
    assert admin.alter_partition_reassignments({place: [1, 2, 3]})[place] is None
