"""The `martlet` command as a client: topics changed, groups described, reset and deleted, and consuming in a group."""

import json
import signal
import subprocess

import confluent_kafka
import pytest

from harness.broker import BINARY
from harness.clients import ConfluentClient
from harness.records import Record
from harness.waiting import wait_until


def martlet(cluster, *arguments, check=True):
    """Runs a command against the cluster; its output, and its exit status unless that is checked."""
    run = subprocess.run(
        [BINARY, *arguments, "--bootstrap", cluster.bootstrap], capture_output=True, text=True, timeout=60)
    if check:
        assert run.returncode == 0, run.stderr
        return run.stdout
    return run


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def fill(cluster, topic, count, partition=0):
    records = [Record(b"%d" % number, timestamp=1_700_000_000_000 + number) for number in range(count)]
    ConfluentClient().produce(cluster.bootstrap, topic, records, partition=partition)


class Member:
    """`martlet consume --group` as a process."""

    def __init__(self, cluster, topic, group, *arguments):
        self.process = subprocess.Popen(
            [BINARY, "consume", topic, "--group", group, "--bootstrap", cluster.bootstrap, "--format",
             "%p/%o\\n", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def stop(self):
        """Tells it to end; what it had printed."""
        self.process.send_signal(signal.SIGTERM)
        output, errors = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, errors
        return output.split()


def description(cluster, group):
    return objects(martlet(cluster, "group", "describe", group, "--json"))[0]


def commit(cluster, group, topic, offsets):
    """Commits as a consumer that is no member."""
    consumer = ConfluentClient().consumer(cluster.bootstrap, group_id=group)
    consumer.commit(
        offsets=[confluent_kafka.TopicPartition(topic, partition, offset) for partition, offset in offsets.items()],
        asynchronous=False)
    consumer.close()


def test_a_topic_is_altered(cluster, name):
    topic = cluster.create_topic(name, retention_ms=1000)
    martlet(
        cluster, "topic", "alter", topic, "--config", "max.message.bytes=2000", "--delete-config", "retention.ms",
        "--partitions", "3")
    wait_until(
        lambda: len(objects(martlet(cluster, "topic", "describe", topic, "--json"))[0]["partitions"]) == 3,
        "the broker that is asked knows three partitions")
    assert objects(martlet(cluster, "topic", "describe", topic, "--json"))[0]["configs"] == {
        "max.message.bytes": "2000"}
    refused = martlet(cluster, "topic", "alter", topic, "--config", "no.such.key=1", check=False)
    assert refused.returncode == 1 and "no.such.key" in refused.stderr


def test_a_group_is_listed_described_reset_and_deleted(cluster, name):
    topic, group = cluster.create_topic(name, partitions=2), f"group-of-{name}"
    fill(cluster, topic, 10)
    fill(cluster, topic, 4, partition=1)
    commit(cluster, group, topic, {0: 6, 1: 4})
    assert group in [found["group"] for found in objects(martlet(cluster, "group", "list", "--json"))]
    described = description(cluster, group)
    assert [part["lag"] for part in described["partitions"]] == [4, 0]
    assert [part["committed"] for part in described["partitions"]] == [6, 4]

    def reset(*arguments):
        found = objects(martlet(cluster, "group", "reset-offsets", group, "--json", *arguments))
        return {entry["partition"]: entry["to"] for entry in found}

    assert reset("--to-earliest") == {0: 0, 1: 0}
    assert description(cluster, group) == described, "a dry run changes nothing"
    assert reset("--shift-by", "-2", "--topic", f"{topic}:0") == {0: 4}
    assert reset("--to-offset", "100") == {0: 10, 1: 4}
    assert reset("--to-datetime", str(1_700_000_000_003)) == {0: 3, 1: 3}
    assert reset("--to-datetime", str(1_700_000_000_003), "--execute") == {0: 3, 1: 3}
    assert [part["committed"] for part in description(cluster, group)["partitions"]] == [3, 3]
    assert reset("--to-latest", "--execute") == {0: 10, 1: 4}
    martlet(cluster, "group", "delete", group)
    gone = martlet(cluster, "group", "describe", group, check=False)
    assert gone.returncode == 1 and "GROUP_ID_NOT_FOUND" in gone.stderr


def test_a_member_of_the_command_line_reads_commits_and_leaves(cluster, name):
    topic, group = cluster.create_topic(name, partitions=2), f"group-of-{name}"
    fill(cluster, topic, 10)
    printed = martlet(cluster, "consume", topic, "--group", group, "-n", "4", "--format", "%p/%o\\n").split()
    assert printed == ["0/0", "0/1", "0/2", "0/3"]
    described = description(cluster, group)
    assert (described["type"], described["members"]) == ("consumer", [])
    assert {part["partition"]: part["committed"] for part in described["partitions"]} == {0: 4}
    printed = martlet(cluster, "consume", topic, "--group", group, "-n", "6", "--format", "%p/%o\\n").split()
    assert printed == [f"0/{offset}" for offset in range(4, 10)]


@pytest.mark.timeout(180)
def test_members_share_a_topic_and_the_one_that_stays_takes_over(cluster, name):
    topic, group = cluster.create_topic(name, partitions=4), f"group-of-{name}"
    first = Member(cluster, topic, group)

    def shares():
        run = martlet(cluster, "group", "describe", group, "--json", check=False)
        if run.returncode:
            return None
        described = objects(run.stdout)[0]
        return sorted(len(member["assigned"]) for member in described["members"]) if not described.get("note") else None

    wait_until(lambda: shares() == [4], "one member has all partitions", timeout=60)
    second = Member(cluster, topic, group)
    wait_until(lambda: shares() == [2, 2], "two members have two partitions each", timeout=60)
    refused = martlet(
        cluster, "group", "reset-offsets", group, "--topic", topic, "--to-latest", "--execute", check=False)
    assert refused.returncode == 1, "offsets of a group with members cannot be reset"
    for partition in range(4):
        fill(cluster, topic, 5, partition=partition)
    wait_until(
        lambda: sum(part.get("committed") or 0 for part in description(cluster, group)["partitions"]) == 20,
        "both have committed what they read", timeout=60)
    output = first.stop()
    wait_until(lambda: shares() == [4], "the second member has all partitions", timeout=60)
    fill(cluster, topic, 5)
    wait_until(
        lambda: sum(part.get("committed") or 0 for part in description(cluster, group)["partitions"]) == 25,
        "the second member has committed the rest", timeout=60)
    output += second.stop()
    expected = {f"{partition}/{offset}" for partition in range(4) for offset in range(5)}
    assert set(output) == expected | {f"0/{offset}" for offset in range(5, 10)}
    assert len(output) == 25, "each record once"
