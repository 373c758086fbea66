"""Consumer groups with real clients: members come, go and crash, brokers too, and every record is consumed."""

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient

from harness.clients import ALL
from harness.groups import OPTIONS, PARTITIONS, GroupWorkload, committed
from harness.waiting import wait_until

by_name = {"ids": lambda client: client.name}


# Each client with the ways of assigning that it has.
KINDS = [
    pytest.param(client, strategy, id=f"{client.name}-{strategy or 'default'}")
    for client in ALL
    for strategy in {
        "confluent-kafka": ["range", "roundrobin", "cooperative-sticky"],
        "kafka-python": [None, "roundrobin", "sticky"],
        "aiokafka": [None, "roundrobin"],
        "kcat": [None],
    }[client.name]
]


@pytest.mark.feature("groups: members join, leave and crash")
@pytest.mark.parametrize("client, strategy", KINDS)
def test_every_record_is_consumed_while_members_come_and_go(workload, client, strategy):
    kind = {"client": client.name, "strategy": strategy}
    workload.write(300)
    first = workload.add(**kind)
    workload.wait_until_consumed()
    second = workload.add(**kind)
    workload.wait_until_stable()
    workload.write(300)
    workload.wait_until_consumed()
    workload.add(**kind)
    workload.write(300)
    workload.wait_until_stable()
    workload.stop(first)
    workload.write(300)
    workload.wait_until_stable()
    workload.kill(second)
    workload.write(300)
    workload.wait_until_stable()
    workload.check()


@pytest.mark.feature("groups: offsets outlive the members")
@pytest.mark.parametrize("client", ALL, **by_name)
def test_a_group_goes_on_where_it_stopped(workload, client):
    workload.write(120)
    first = workload.add(client=client.name)
    workload.wait_until_consumed()
    wait_until(
        lambda: committed(workload.cluster, workload.group, workload.topic, PARTITIONS) == [20] * PARTITIONS,
        "all that was consumed is committed")
    workload.stop(first)
    workload.write(60)
    second = workload.add(client=client.name)
    workload.wait_until_consumed()
    assert {record["offset"] for record in second.records} == set(range(20, 30)), "nothing is consumed again"


@pytest.mark.feature("groups: beginning at the end")
@pytest.mark.parametrize("client", ALL, **by_name)
def test_a_new_group_may_begin_at_the_end(workload, client):
    workload.write(60)
    member = workload.add(client=client.name, reset="latest")
    workload.wait_until_stable()

    def consumes():
        workload.write(PARTITIONS)
        return len({record["partition"] for record in member.records}) == PARTITIONS

    wait_until(consumes, "the member consumes what is written now")
    assert all(int(record["value"]) >= 60 for record in member.records)


@pytest.mark.feature("groups: static members")
@pytest.mark.parametrize(
    "client", [client for client in ALL if client.name in ("confluent-kafka", "kafka-python", "aiokafka")], **by_name)
def test_a_static_member_comes_back_without_a_rebalance(workload, client):
    workload.write(60)
    others = workload.add(client=client.name, instance="one")
    restarted = workload.add(client=client.name, instance="two")
    workload.wait_until_stable()
    wait_until(lambda: sum(len(member.records) for member in workload.members) >= 60, "all is consumed")
    before, owned = others.assignments, restarted.assignment
    workload.kill(restarted)
    again = workload.add(client=client.name, instance="two")
    wait_until(lambda: again.assignment == owned, "it has its partitions back")
    workload.write(60)
    workload.check()
    assert others.assignments == before, "the other member was not disturbed"


def test_different_clients_share_a_group(workload):
    workload.write(300)
    for client in ("confluent-kafka", "kafka-python", "aiokafka"):
        workload.add(client=client)
    workload.wait_until_stable()
    workload.write(300)
    workload.check()
    assert all(len(member.assignment) == 2 for member in workload.members)


@pytest.mark.feature("groups: the coordinator is killed")
@pytest.mark.parametrize("client, strategy", [kind for kind in KINDS if "default" in kind.id or "coop" in kind.id])
def test_a_group_survives_the_death_of_its_coordinator_in_mid_rebalance(start_cluster, name, client, strategy):
    cluster = start_cluster(options=OPTIONS)
    cluster.create_topic(name, partitions=PARTITIONS)
    kind = {"client": client.name, "strategy": strategy}
    with GroupWorkload(cluster, name, f"group-{name}", PARTITIONS) as workload:
        workload.write(300)
        workload.add(**kind)
        workload.add(**kind)
        workload.wait_until_stable()
        for _ in range(2):
            workload.write(120)
            workload.add(**kind)
            # The newcomer makes the group rebalance; its coordinator leads the only shard.
            wait_until(lambda: _state(workload) not in (None, "Stable"), "the group rebalances", timeout=10)
            coordinator = cluster.leader(name)
            coordinator.kill()
            workload.write(120)
            workload.wait_until_stable(45)
            coordinator.start()
        workload.check()


def _state(workload):
    found = workload.description()
    return found.state if found else None


# Administration


@pytest.fixture
def admin(grouped):
    return AdminClient({"bootstrap.servers": grouped.bootstrap})


def test_groups_are_listed_described_and_deleted(workload, admin):
    workload.write(60)
    member = workload.add()
    workload.wait_until_stable()
    workload.wait_until_consumed()
    listed = {group.group_id: group for group in admin.list_consumer_groups().result(20).valid}
    assert listed[workload.group].state == confluent_kafka.ConsumerGroupState.STABLE
    described = admin.describe_consumer_groups([workload.group])[workload.group].result(20)
    assert described.partition_assignor == "range"
    (only,) = described.members
    assert only.host == "/127.0.0.1"
    assert len(only.assignment.topic_partitions) == PARTITIONS
    with pytest.raises(confluent_kafka.KafkaException) as refused:
        admin.delete_consumer_groups([workload.group])[workload.group].result(20)
    assert refused.value.args[0].code() == confluent_kafka.KafkaError.NON_EMPTY_GROUP
    workload.stop(member)
    admin.delete_consumer_groups([workload.group])[workload.group].result(20)
    assert workload.group not in {group.group_id for group in admin.list_consumer_groups().result(20).valid}
    assert committed(workload.cluster, workload.group, workload.topic, PARTITIONS) == [None] * PARTITIONS


def test_offsets_are_set_and_read_by_an_administrator(workload, admin):
    workload.write(60)
    wanted = confluent_kafka.ConsumerGroupTopicPartitions(
        workload.group, [confluent_kafka.TopicPartition(workload.topic, 0, 7)])
    admin.alter_consumer_group_offsets([wanted])[workload.group].result(20)
    found = admin.list_consumer_group_offsets(
        [confluent_kafka.ConsumerGroupTopicPartitions(workload.group)])[workload.group].result(20)
    assert [(one.partition, one.offset) for one in found.topic_partitions] == [(0, 7)]
    member = workload.add()
    wait_until(lambda: len(member.records) == 53, "the group begins where it was told to")
    assert min(record["offset"] for record in member.records if record["partition"] == 0) == 7


def test_offsets_survive_a_restart_of_the_whole_cluster(start_cluster, name):
    cluster = start_cluster(options=OPTIONS)
    cluster.create_topic(name, partitions=PARTITIONS)
    with GroupWorkload(cluster, name, "group", PARTITIONS) as workload:
        workload.write(60)
        member = workload.add()
        workload.wait_until_consumed()
        wait_until(
            lambda: committed(cluster, "group", name, PARTITIONS) == [10] * PARTITIONS, "everything is committed")
        workload.stop(member)
        cluster.kill_all()
        cluster.restart_all()
        assert committed(cluster, "group", name, PARTITIONS) == [10] * PARTITIONS


def test_a_member_killed_without_a_word_is_replaced_after_its_session(workload):
    workload.write(60)
    first = workload.add()
    second = workload.add()
    workload.wait_until_stable()
    workload.kill(first)
    wait_until(lambda: second.assignment == set(range(PARTITIONS)), "the survivor has all partitions", timeout=20)
    workload.check()
