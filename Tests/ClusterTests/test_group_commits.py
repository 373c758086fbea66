"""What a commit is worth: whose counts, how far it reaches, and where a group goes on."""

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, TopicPartition

from harness.clients import ALL, ConfluentClient
from harness.groups import PARTITIONS, committed
from harness.waiting import wait_until

by_name = {"ids": lambda client: client.name}


@pytest.fixture
def join(workload):
    """Joins the group with a consumer of this process, which takes part as long as it is polled."""
    joined = []

    def join(topics=None, **settings):
        consumer = ConfluentClient().consumer(
            workload.cluster.bootstrap, group_id=workload.group, auto_offset_reset="earliest",
            session_timeout_ms=6000, heartbeat_interval_ms=500, topic_metadata_refresh_interval_ms=1000, **settings)
        consumer.subscribe(topics or [workload.topic])
        joined.append(consumer)
        return consumer

    yield join
    for consumer in joined:
        consumer.close()


def poll_until(consumer, condition, what, found=None):
    """Polls until the condition holds, and returns what was consumed meanwhile, in `found` if that is given: for
    conditions that look at it."""
    found = [] if found is None else found

    def polled():
        found.extend(message for message in consumer.consume(50, timeout=0.1) if not message.error())
        return condition()

    wait_until(polled, what)
    return found


def has_all(consumer):
    return lambda: len(consumer.assignment()) == PARTITIONS


def code_of(commit):
    with pytest.raises(confluent_kafka.KafkaException) as refused:
        commit()
    return refused.value.args[0].code()


@pytest.mark.feature("groups: a member that stands still is replaced")
@pytest.mark.parametrize("client", [client for client in ALL if client.name != "kcat"], **by_name)
def test_a_frozen_member_is_replaced_and_what_it_says_afterwards_moves_nothing_back(workload, client):
    workload.write(300)
    frozen = workload.add(client=client.name)
    workload.wait_until_consumed()
    other = workload.add(client=client.name)
    workload.wait_until_stable()
    frozen.freeze()
    workload.write(300)
    wait_until(lambda: other.assignment == set(range(PARTITIONS)), "the other member has all partitions")
    workload.wait_until_consumed()
    ends = [workload.written // PARTITIONS] * PARTITIONS

    def all_is_committed():
        return committed(workload.cluster, workload.group, workload.topic, PARTITIONS) == ends

    wait_until(all_is_committed, "all that was consumed is committed")
    frozen.thaw()
    workload.wait_until_stable()
    assert all_is_committed()
    workload.write(60)
    workload.check()


def test_a_slow_member_loses_its_partitions_and_its_right_to_commit(workload, join):
    workload.write(60)
    slow = join(max_poll_interval_ms=6000)
    poll_until(slow, has_all(slow), "the first member has all partitions")
    # It is busy with what it has got: its client leaves the group for it.
    other = join()
    poll_until(other, has_all(other), "the other member has all partitions")
    other.commit(offsets=[TopicPartition(workload.topic, 0, 10)], asynchronous=False)
    code = code_of(lambda: slow.commit(offsets=[TopicPartition(workload.topic, 0, 3)], asynchronous=False))
    assert code in (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError._STATE)
    assert committed(workload.cluster, workload.group, workload.topic, 1) == [10]
    # Polling again it is a member again, and gets its share.
    wait_until(
        lambda: (slow.poll(0.1), other.poll(0.1), len(slow.assignment()) == len(other.assignment()) == 3)[-1],
        "both share the partitions")


def test_who_is_no_member_cannot_commit_for_a_group_that_has_members(workload, join):
    member = join()
    poll_until(member, has_all(member), "the member has all partitions")
    stranger = ConfluentClient().consumer(workload.cluster.bootstrap, group_id=workload.group)
    try:
        offsets = [TopicPartition(workload.topic, 0, 1)]
        assert code_of(lambda: stranger.commit(offsets=offsets, asynchronous=False)) == KafkaError.UNKNOWN_MEMBER_ID
    finally:
        stranger.close()
    assert committed(workload.cluster, workload.group, workload.topic, 1) == [None]


def test_a_commit_may_go_back_and_carries_a_note(workload, join):
    workload.write(60)
    member = join()
    poll_until(member, has_all(member), "the member has all partitions")
    for offset, note in ((8, "well"), (2, "again, please")):
        member.commit(offsets=[TopicPartition(workload.topic, 0, offset, note)], asynchronous=False)
        (found,) = member.committed([TopicPartition(workload.topic, 0)], timeout=20)
        assert (found.offset, found.metadata) == (offset, note)
    member.close()
    # The next one begins with what the last commit says.
    successor = join()
    got = []
    poll_until(
        successor, lambda: any(message.partition() == 0 for message in got), "the successor reads partition 0", got)
    assert min(message.offset() for message in got if message.partition() == 0) == 2


def test_a_note_that_is_too_long_is_refused(workload, join):
    member = join()
    poll_until(member, has_all(member), "the member has all partitions")
    offsets = [TopicPartition(workload.topic, 0, 1, "x" * 5000)]
    code = code_of(lambda: member.commit(offsets=offsets, asynchronous=False))
    assert code == KafkaError.OFFSET_METADATA_TOO_LARGE
    assert committed(workload.cluster, workload.group, workload.topic, 1) == [None]


@pytest.mark.parametrize("reset, first", [("earliest", 6), ("latest", 10)])
def test_a_group_whose_next_record_was_deleted_goes_on_as_it_was_told(workload, join, reset, first):
    workload.write(60)
    before = join()
    poll_until(before, has_all(before), "the member has all partitions")
    before.commit(offsets=[TopicPartition(workload.topic, 0, 3)], asynchronous=False)
    before.close()
    ConfluentClient().delete_records(workload.cluster.bootstrap, workload.topic, 6)
    after = ConfluentClient().consumer(
        workload.cluster.bootstrap, group_id=workload.group, auto_offset_reset=reset, session_timeout_ms=6000)
    try:
        after.subscribe([workload.topic])

        def place():
            (position,) = after.position([TopicPartition(workload.topic, 0)])
            return position.offset

        found = poll_until(after, has_all(after), "the new member has all partitions")

        def has_begun():
            if reset == "latest":
                workload.write(PARTITIONS)
            return place() > 0

        found += poll_until(after, has_begun, "the new member reads partition 0")
        offsets = [message.offset() for message in found if message.partition() == 0]
        assert min(offsets) >= first and (reset == "latest" or min(offsets) == first)
    finally:
        after.close()


def test_a_pattern_of_topics_follows_what_is_created_and_deleted(workload, join):
    cluster, client = workload.cluster, ConfluentClient()
    member = join([f"^{workload.topic}(-more)?$"])
    poll_until(member, has_all(member), "the member has the topic")
    cluster.create_topic(f"{workload.topic}-more", partitions=2)
    poll_until(
        member, lambda: {one.topic for one in member.assignment()} == {workload.topic, f"{workload.topic}-more"},
        "the member has the new topic, too")
    client.delete_topic(cluster.bootstrap, f"{workload.topic}-more")
    poll_until(member, has_all(member), "the member has what is left")
