"""Groups of the new protocol (KIP-848) with the client that speaks it: `group.protocol=consumer` of confluent-kafka."""

import subprocess
import sys
import textwrap

import confluent_kafka
import pytest
from confluent_kafka import ConsumerGroupState, ConsumerGroupType, KafkaError
from confluent_kafka.admin import AdminClient

from harness.clients import ConfluentClient
from harness.cluster import Cluster
from harness.members import Members
from harness.records import Record
from harness.waiting import wait_until
from harness.workload import NumberedWriter

# Long enough for clients to find a new coordinator on a busy machine: a member that is silent for longer is given up, and
# others rightly get what it still believes to have. Short enough for the tests that wait for that.
SESSION_MS = 8_000
OPTIONS = ["--group-consumer-session-timeout-ms", str(SESSION_MS), "--group-consumer-heartbeat-interval-ms", "1000"]


@pytest.fixture(scope="module")
def brokers(tmp_path_factory):
    """Three brokers for the tests of this file; some of them kill one, and start it again."""
    cluster = Cluster(tmp_path_factory.mktemp("brokers"), options=OPTIONS)
    cluster.start()
    yield cluster
    cluster.discard()


# The clients that speak it.
CLIENTS = [ConfluentClient()]
by_name = {"ids": lambda client: client.name}


@pytest.fixture
def client():
    return CLIENTS[0]


@pytest.fixture
def members(brokers, name, client):
    """The members of a group of its own, with a topic of six partitions."""
    brokers.wait_until_serving()
    topic = brokers.create_topic(name, partitions=6)
    with Members(client, brokers.bootstrap, f"group-of-{topic}", [topic]) as members:
        members.topic = topic
        members.partitions = [(topic, partition) for partition in range(6)]
        yield members
        members.check()


def admin(cluster):
    return AdminClient({"bootstrap.servers": cluster.bootstrap})


def describe(cluster, group):
    # The futures fail when the client is collected: it must live until they are done.
    client = admin(cluster)
    return client.describe_consumer_groups([group])[group].result(30)


def committed(cluster, group, partitions):
    consumer = ConfluentClient().consumer(cluster.bootstrap, group_id=group)
    try:
        found = consumer.committed([confluent_kafka.TopicPartition(*partition) for partition in partitions], timeout=30)
        return {(entry.topic, entry.partition): entry.offset for entry in found}
    finally:
        consumer.close()


def test_members_that_come_and_go_share_the_partitions(members):
    first, *_ = members.start()
    members.wait_until_shared(members.partitions)
    members.start(2)
    members.wait_until_shared(members.partitions, "three members share six partitions")
    assert members.ledger.counts(members.running) == [2, 2, 2]
    members.close(first)
    members.wait_until_shared(members.partitions, "the two that stayed share six partitions")


@pytest.mark.feature("new groups: members join and leave, nothing is skipped")
@pytest.mark.parametrize("client", CLIENTS, **by_name)
def test_everything_is_read_and_nothing_is_skipped_while_members_come_and_go(brokers, members):
    with NumberedWriter(brokers.bootstrap, members.topic, partitions=6) as writer:
        members.start(2)
        members.wait_until_shared(members.partitions)
        for _ in range(3):
            writer.wait_for_more()
            members.start()
            members.wait_until_shared(members.partitions)
            writer.wait_for_more()
            members.close(members.running[0])
            members.wait_until_shared(members.partitions)
        writer.finish()
    ends = {
        (members.topic, partition): 1 + max(offset for _, offset in acknowledged)
        for partition, acknowledged in writer.acknowledged.items()}
    members.wait_until_read(ends)
    wait_until(
        lambda: committed(brokers, members.group, members.partitions) == ends, "everything that was read is committed")
    # Who hands over in good order repeats nothing.
    assert members.ledger.repeated == 0


def test_what_a_killed_member_had_goes_to_the_others(brokers, members):
    program = textwrap.dedent(f"""
        import confluent_kafka
        consumer = confluent_kafka.Consumer({{
            "bootstrap.servers": "{brokers.bootstrap}", "group.id": "{members.group}", "group.protocol": "consumer"}})
        consumer.subscribe(["{members.topic}"])
        while len(consumer.assignment()) < 6:
            consumer.poll(0.1)
        print("has all", flush=True)
        while True:
            consumer.poll(0.1)
        """)
    doomed = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert doomed.stdout.readline().strip() == "has all"
        # It holds what it has been told to give up until it is given up itself.
        doomed.kill()
        members.start(2)
        members.wait_until_shared(members.partitions)
    finally:
        doomed.kill()
        doomed.wait()


@pytest.mark.feature("new groups: static members")
@pytest.mark.parametrize("client", CLIENTS, **by_name)
def test_a_static_member_that_restarts_keeps_its_partitions_and_disturbs_nobody(members):
    members.start(group_instance_id="one")
    members.wait_until_shared(members.partitions)
    members.start(group_instance_id="two")
    members.wait_until_shared(members.partitions)
    one, two = members.running
    had, rebalances = one.partitions, two.rebalances
    members.close(one)
    (again,) = members.start(group_instance_id="one")
    members.wait_until_shared(members.partitions)
    assert again.partitions == had
    assert two.rebalances == rebalances


def test_a_static_member_that_stays_away_is_given_up(members):
    members.start(group_instance_id="one")
    members.start(group_instance_id="two")
    members.wait_until_shared(members.partitions)
    members.close(members.running[0])
    members.wait_until_shared(members.partitions, "the other one has everything")


def test_an_instance_id_in_use_is_refused(members):
    members.start(group_instance_id="one")
    members.wait_until_shared(members.partitions)
    (second,) = members.start(group_instance_id="one")
    wait_until(
        lambda: KafkaError.UNRELEASED_INSTANCE_ID in [error.code() for error in second.errors] or any(
            "UNRELEASED" in str(error) or "instance" in str(error) for error in second.errors),
        "the second holder of an instance id is refused")
    assert members.running[0].partitions == set(members.partitions)


@pytest.mark.feature("new groups: patterns")
@pytest.mark.parametrize("client", CLIENTS, **by_name)
def test_a_pattern_finds_topics_made_later(brokers, name, client):
    topics = [brokers.create_topic(f"{name}-{number}", partitions=2) for number in range(2)]
    brokers.create_topic(f"other-{name}")
    with Members(client, brokers.bootstrap, f"group-of-{name}", [f"^{name}-[0-9]+$"]) as members:
        members.start(2)
        members.wait_until_shared([(topic, partition) for topic in topics for partition in range(2)])
        topics.append(brokers.create_topic(f"{name}-77", partitions=2))
        members.wait_until_shared([(topic, partition) for topic in topics for partition in range(2)])
        ConfluentClient().delete_topic(brokers.bootstrap, topics.pop(0))
        members.wait_until_shared([(topic, partition) for topic in topics for partition in range(2)])
        members.check()


def test_a_pattern_that_is_none_is_refused(brokers, members):
    consumer = ConfluentClient().consumer(brokers.bootstrap, group_id="bad-pattern", group_protocol="consumer")
    try:
        consumer.subscribe(["^(unfinished"])
        message = wait_until(lambda: consumer.poll(0.1), "the pattern is refused")
        assert message.error() is not None
    except confluent_kafka.KafkaException:
        pass  # The client saw by itself that this is no pattern.
    finally:
        consumer.close()


def test_more_partitions_reach_the_members(brokers, members):
    members.start(2)
    members.wait_until_shared(members.partitions)
    ConfluentClient().add_partitions(brokers.bootstrap, members.topic, 9)
    members.wait_until_shared([(members.topic, partition) for partition in range(9)])


def test_the_range_assignor_gives_consecutive_partitions(members):
    members.start(2, group_remote_assignor="range")
    members.wait_until_shared(members.partitions)
    held = sorted(sorted(partition for _, partition in member.partitions) for member in members.running)
    assert held == [[0, 1, 2], [3, 4, 5]]


def test_an_assignor_that_is_none_is_refused(members):
    (member,) = members.start(group_remote_assignor="nonsense")
    wait_until(lambda: member.errors, "the assignor is refused")
    assert "nonsense" in str(member.errors[0]) or "assignor" in str(member.errors[0]).lower()


def test_tools_see_the_group(brokers, members):
    members.start(2)
    members.wait_until_shared(members.partitions)
    found = wait_until(
        lambda: (group := describe(brokers, members.group)).state == ConsumerGroupState.STABLE and group,
        "the group is stable")
    assert found.type == ConsumerGroupType.CONSUMER
    assert found.partition_assignor == "uniform"
    assert sorted(len(member.assignment.topic_partitions) for member in found.members) == [3, 3]
    assert {member.client_id for member in found.members} == {"member-0", "member-1"}

    client = admin(brokers)
    listed = client.list_consumer_groups(types={ConsumerGroupType.CONSUMER}).result().valid
    assert members.group in [group.group_id for group in listed]
    classic = client.list_consumer_groups(types={ConsumerGroupType.CLASSIC}).result().valid
    assert members.group not in [group.group_id for group in classic]

    with pytest.raises(confluent_kafka.KafkaException) as refused:
        client.delete_consumer_groups([members.group])[members.group].result(30)
    assert refused.value.args[0].code() == KafkaError.NON_EMPTY_GROUP
    for member in list(members.running):
        members.close(member)
    client.delete_consumer_groups([members.group])[members.group].result(30)


def type_of(cluster, group):
    client = admin(cluster)
    found = client.list_consumer_groups().result(30).valid
    return next(one.type for one in found if one.group_id == group)


@pytest.mark.timeout(240)
@pytest.mark.feature("new groups: a classic group is upgraded and goes back, member by member")
@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_a_group_changes_its_protocol_member_by_member(brokers, members, strategy):
    classic = {
        "group_protocol": "classic", "session_timeout_ms": SESSION_MS, "heartbeat_interval_ms": 300,
        "partition_assignment_strategy": strategy}

    def replace_each(replaced, **settings):
        for member in list(replaced):
            writer.wait_for_more()
            members.close(member)
            members.start(**settings)
            members.wait_until_shared(members.partitions, f"of {len(members.running)} members each has its share")

    with NumberedWriter(brokers.bootstrap, members.topic, partitions=6) as writer:
        members.start(3, **classic)
        members.wait_until_shared(members.partitions)
        assert type_of(brokers, members.group) == ConsumerGroupType.CLASSIC
        replace_each(members.running)
        assert type_of(brokers, members.group) == ConsumerGroupType.CONSUMER
        replace_each(members.running, **classic)
        assert type_of(brokers, members.group) == ConsumerGroupType.CLASSIC
        # Both kinds at once, and the coordinator changes.
        members.start()
        members.wait_until_shared(members.partitions, "a fourth member, of the new protocol, has its share")
        old = brokers.leader(members.topic)
        old.kill()
        brokers.leader(members.topic, other_than=old)
        members.start(**classic)
        members.wait_until_shared(members.partitions, "a fifth member joined under the new coordinator")
        old.start()
        writer.finish()
    ends = {
        (members.topic, partition): 1 + max(offset for _, offset in acknowledged)
        for partition, acknowledged in writer.acknowledged.items()}
    members.wait_until_read(ends)
    wait_until(
        lambda: committed(brokers, members.group, members.partitions) == ends, "everything that was read is committed",
        60)


@pytest.mark.timeout(240)
@pytest.mark.feature("new groups: the coordinator is killed")
@pytest.mark.parametrize("client", CLIENTS, **by_name)
def test_members_outlive_coordinators(brokers, members):
    with NumberedWriter(brokers.bootstrap, members.topic, partitions=6) as writer:
        members.start(3)
        members.wait_until_shared(members.partitions)
        for _ in range(2):
            writer.wait_for_more()
            old = brokers.leader(members.topic)
            old.kill()
            brokers.leader(members.topic, other_than=old)
            writer.wait_for_more()
            members.start()
            members.wait_until_shared(members.partitions, "a member joined under the new coordinator")
            old.start()
        writer.finish()
    ends = {
        (members.topic, partition): 1 + max(offset for _, offset in acknowledged)
        for partition, acknowledged in writer.acknowledged.items()}
    members.wait_until_read(ends)
    wait_until(
        lambda: committed(brokers, members.group, members.partitions) == ends, "everything that was read is committed",
        60)


@pytest.mark.timeout(240)
def test_fifty_members_share_two_hundred_partitions(brokers, name, client):
    topic = brokers.create_topic(name, partitions=200)
    partitions = [(topic, partition) for partition in range(200)]
    ConfluentClient().produce(brokers.bootstrap, topic, [Record(b"x")])
    with Members(client, brokers.bootstrap, f"group-of-{topic}", [topic]) as members:
        members.start(50)
        members.wait_until_shared(partitions, timeout=150)
        assert members.ledger.counts(members.running) == [4] * 50
        for member in members.running[:10]:
            members.close(member)
        members.wait_until_shared(partitions, "forty members share them", timeout=90)
        members.check()
