"""Damaged files: what a crash can tear is repaired, what it cannot is never cut off without being asked."""

import hashlib
import random
import shutil

import pytest

from harness import requests
from harness.broker import Broker
from harness.cluster import stop_and_compare_logs, verify_log
from harness.records import Record, batch
from harness.wire import Connection
from harness.workload import NumberedWriter, read_all


# 3 MB: three sealed segments, of which a start walks the newest and trusts the others, and the active one.
RECORDS = 160


@pytest.fixture
def filled(start_cluster, name):
    """A single broker, killed, with records of 20 KB over several segments; its topic."""
    alone = start_cluster(size=1, options=["--segment-mib", "1", "--compression", "off"])
    topic = alone.create_topic(name)
    with Connection(alone.bootstrap) as connection:
        for start in range(0, RECORDS, 8):
            sent = [
                requests.send_produce(connection, topic, batch([value(number)])) for number in range(start, start + 8)
            ]
            for number, correlation in enumerate(sent, start=start):
                assert requests.receive_produce(connection, correlation).base_offset == number
    alone.kill_all()
    return alone, topic


def value(number):
    return b"%04d" % number + random.Random(number).randbytes(20_000)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def active_segment(broker):
    """The active segment, and where its data ends."""
    path = broker.segments()[-1]
    _, items = verify_log(broker)
    (segment,) = [item for item in items if item["kind"] == "segment" and f"{item['base']:020}.log" == path.name]
    return path, segment["bytes"]


def overwrite(path, position, data):
    with open(path, "r+b") as file:
        file.seek(position)
        file.write(data)


TORN_TAILS = {
    "nothing": b"",
    "a few random bytes": random.Random(1).randbytes(37),
    "a page of random bytes": random.Random(2).randbytes(4_096),
    "many random bytes": random.Random(3).randbytes(100_000),
    "ones": b"\xff" * 5_000,
}


@pytest.mark.parametrize("rubbish", TORN_TAILS.values(), ids=TORN_TAILS.keys())
def test_rubbish_behind_the_last_flushed_block_is_cut_off(filled, rubbish):
    alone, topic = filled
    path, end = active_segment(alone.brokers[0])
    overwrite(path, end, rubbish)
    alone.start()
    assert read_all(alone, topic) == [value(number) for number in range(RECORDS)]
    with Connection(alone.bootstrap) as connection:
        assert requests.produce(connection, topic, batch([b"next"])).base_offset == RECORDS
    alone.kill_all()
    alone.start()
    assert read_all(alone, topic)[-1] == b"next"


def test_a_copy_of_the_last_block_behind_it_is_cut_off(filled):
    alone, topic = filled
    path, end = active_segment(alone.brokers[0])
    # Half of a block that looks right: what a crash in the middle of a write leaves.
    last = path.read_bytes()[:end][-15_000:]
    overwrite(path, end, last)
    alone.start()
    assert len(read_all(alone, topic)) == RECORDS


@pytest.mark.parametrize("place", ["sealed segment", "active segment"])
def test_a_flipped_bit_stops_the_start_and_changes_no_file(filled, place):
    alone, topic = filled
    broker = alone.brokers[0]
    # The newest sealed file: a start walks that one, and trusts older ones until they are read.
    path = broker.segments()[-2 if place == "sealed segment" else -1]
    end = active_segment(broker)[1] if place == "active segment" else path.stat().st_size
    position = end // 2
    overwrite(path, position, bytes([path.read_bytes()[position] ^ 0x10]))
    before = {segment.name: digest(segment) for segment in broker.segments()}
    said = broker.start_refused()
    assert "damaged" in said and "--accept-data-loss" in said and "martlet log verify" in said
    assert path.name in said or str(int(path.stem)) in said, "the message must say where the damage is"
    assert {segment.name: digest(segment) for segment in broker.segments()} == before
    status, items = verify_log(broker)
    assert status == 1 and any(item["kind"] == "damage" for item in items)
    # Asked to, it starts with what stands before the damage, and goes on from there.
    broker.start("--accept-data-loss")
    alone.wait_until_serving()
    assert "ACKNOWLEDGED ENTRIES WERE CUT OFF" in broker.log_since_start()
    kept = read_all(alone, topic)
    assert len(kept) < RECORDS and kept == [value(number) for number in range(len(kept))]
    with Connection(alone.bootstrap) as connection:
        assert requests.produce(connection, topic, batch([b"next"])).base_offset == len(kept)


def test_a_flipped_bit_in_an_old_segment_spoils_its_own_records_only(filled):
    alone, topic = filled
    broker = alone.brokers[0]
    with_sidecars = [path for path in broker.segments() if path.with_suffix(".index").exists()]
    assert len(with_sidecars) > 1, "a start must have older files than the newest sealed one to trust"
    path = with_sidecars[0]
    overwrite(path, 500_000, bytes([path.read_bytes()[500_000] ^ 0x10]))
    alone.start()
    other = alone.create_topic(f"{topic}-other")
    with Connection(alone.bootstrap) as connection:
        requests.produce(connection, other, batch([b"sound"]))
        errors = {offset: requests.fetch(connection, topic, offset).error for offset in range(RECORDS)}
        spoilt = [offset for offset, error in errors.items() if error]
        assert spoilt and {errors[offset] for offset in spoilt} == {requests.KAFKA_STORAGE_ERROR}
        assert max(spoilt) < RECORDS // 3, "what stands in other segments is sound"
        # A consumer of several partitions goes on with those that can be read.
        wanted = [(topic, 0, spoilt[0]), (other, 0, 0)]
        fetched = requests.receive_fetch_many(connection, requests.send_fetch_many(connection, wanted))
        assert [answer.error for _, _, answer in fetched] == [requests.KAFKA_STORAGE_ERROR, 0]
        assert b"sound" in fetched[1][2].records


def test_the_last_flushed_block_may_not_vanish(filled):
    alone, topic = filled
    broker = alone.brokers[0]
    path, end = active_segment(broker)
    overwrite(path, end - 5_000, bytes(5_000))
    before = digest(path)
    assert "damaged" in broker.start_refused()
    assert digest(path) == before


def test_a_missing_segment_stops_the_start(filled):
    alone, topic = filled
    broker = alone.brokers[0]
    lost = broker.segments()[1]
    lost.rename(lost.with_suffix(".away"))
    said = broker.start_refused()
    assert "damaged" in said or "missing" in said
    lost.with_suffix(".away").rename(lost)
    alone.start()
    assert len(read_all(alone, topic)) == RECORDS


@pytest.mark.parametrize("harm", ["missing", "zeros", "random bytes"])
def test_a_log_without_its_state_file_stops_the_start(filled, harm):
    alone, topic = filled
    broker = alone.brokers[0]
    state = broker.log_directory() / "state"
    good = state.read_bytes()
    if harm == "missing":
        state.unlink()
    else:
        state.write_bytes(bytes(len(good)) if harm == "zeros" else random.Random(5).randbytes(len(good)))
    before = {segment.name: digest(segment) for segment in broker.segments()}
    assert "damaged" in broker.start_refused(), "without its term and vote a broker could vote twice"
    assert {segment.name: digest(segment) for segment in broker.segments()} == before
    state.write_bytes(good)
    alone.start()
    assert len(read_all(alone, topic)) == RECORDS


@pytest.mark.parametrize("harm", ["a flipped bit in a sealed segment", "an empty directory"])
def test_a_follower_that_lost_entries_gets_them_back_from_the_leader(start_cluster, name, harm):
    cluster = start_cluster(options=["--segment-mib", "1"])
    topic = cluster.create_topic(name)
    with NumberedWriter(cluster.bootstrap, topic, padding=2_000) as writer:
        writer.wait_for_more(1_500)
        follower = cluster.followers(topic)[0]
        follower.kill()
        if harm == "an empty directory":
            shutil.rmtree(follower.data_dir)
            follower.start()
        else:
            path = follower.segments()[-2]
            position = path.stat().st_size // 2
            overwrite(path, position, bytes([path.read_bytes()[position] ^ 0x10]))
            assert "damaged" in follower.start_refused()
            follower.start("--accept-data-loss")
        writer.wait_for_more()
        writer.finish()
    writer.check(cluster)
    stop_and_compare_logs(cluster)


def test_a_directory_of_another_node_or_another_number_of_shards_is_refused(filled):
    alone, _ = filled
    broker = alone.brokers[0]
    assert "--shards 1" in broker.start_refused("--shards", "2")
    broker.node_id = 7
    said = broker.start_refused()
    assert "belongs to node 1" in said and "--node-id" in said


def test_two_brokers_cannot_use_one_directory(start_cluster, name):
    alone = start_cluster(size=1)
    second = Broker(1, alone.brokers[0].data_dir)
    second.log_path = second.data_dir.with_suffix(".second.log")
    said = second.start_refused()
    assert "use" in said
    topic = alone.create_topic(name)
    with Connection(alone.bootstrap) as connection:
        assert requests.produce(connection, topic, batch([Record(b"still here")])).base_offset == 0
