"""Every anomaly, planted in a history that is sound without it, must be found, and nothing in the sound one."""

import pytest

from chaos.checker import KINDS, check
from chaos.history import ACKNOWLEDGED, ASSIGNED, FAILED, READ, UNKNOWN_OFFSET, Event, History, Send, Value

SECOND = 1_000_000_000


class Story:
    """Two producers that take turns in one partition, a reader, a group of two, and the last reader.

    Each test changes the story in one place.
    """

    def __init__(self, length=12):
        values = [Value(1 + number % 2, number // 2) for number in range(length)]
        self.sends = {
            value: Send(value, 0, number * SECOND, ACKNOWLEDGED, number, number * SECOND + SECOND // 2)
            for number, value in enumerate(values)}
        self.log = dict(enumerate(values))
        self.reader = [self.read(offset, poll=offset // 4) for offset in self.log]
        half = length // 2
        self.members = [
            [self.assigned(0)] + [self.read(offset, 0) for offset in range(half)],
            [self.assigned(half)] + [self.read(offset, 0) for offset in range(half, length)]]

    @staticmethod
    def assigned(offset, partition=0):
        return Event(ASSIGNED, 0, partition, 0, offset, 0)

    def read(self, offset, poll, value=None, partition=0):
        value = value or self.log[offset]
        return Event(READ, value.producer, partition, value.sequence, offset, poll)

    def change(self, value, **fields):
        self.sends[value] = self.sends[value]._replace(**fields)

    def kinds(self):
        final = [self.read(offset, poll=0) for offset in sorted(self.log)]
        consumers = {"reader": self.reader, "m1": self.members[0], "m2": self.members[1], "final": final}
        history = History(list(self.sends.values()), consumers, "final", groups=[["m1", "m2"]])
        return {anomaly.kind for anomaly in check(history)}


@pytest.fixture
def story():
    return Story()


def test_a_sound_history_has_no_anomaly(story):
    assert story.kinds() == set()


def test_a_record_whose_fate_is_unknown_may_be_there_or_not(story):
    story.change(story.log[3], outcome=None, offset=-1)
    story.sends[Value(2, 99)] = Send(Value(2, 99), 0, 20 * SECOND)
    assert story.kinds() == set()


def test_a_consumer_that_joins_late_skips_nothing(story):
    story.reader = story.reader[5:]
    assert story.kinds() == set()


def test_a_new_assignment_may_go_back(story):
    story.reader[8:8] = [story.assigned(-1)] + [story.read(offset, 9) for offset in range(4, 8)]
    assert story.kinds() == set()


def test_an_acknowledged_record_that_is_gone_is_a_lost_write(story):
    story.sends[Value(1, 50)] = Send(Value(1, 50), 0, 20 * SECOND, ACKNOWLEDGED, 12, 21 * SECOND)
    assert story.kinds() == {"lost-write"}


def test_a_record_may_be_acknowledged_at_an_offset_that_the_client_does_not_know(story):
    for value in story.sends:
        story.sends[value] = story.sends[value]._replace(offset=UNKNOWN_OFFSET)
    assert story.kinds() == set()
    story.sends[Value(1, 50)] = Send(Value(1, 50), 0, 20 * SECOND, ACKNOWLEDGED, UNKNOWN_OFFSET, 21 * SECOND)
    assert story.kinds() == {"lost-write"}


def test_a_record_that_was_read_and_is_gone_is_a_lost_write(story):
    story.sends[Value(1, 50)] = Send(Value(1, 50), 0, 20 * SECOND)
    story.reader.append(story.read(12, 3, Value(1, 50)))
    assert story.kinds() == {"lost-write"}


def test_a_record_at_two_offsets_is_a_duplicate(story):
    story.log[12] = story.log[11]
    story.members[1].append(story.read(12, 0))
    assert story.kinds() == {"duplicate"}


def test_a_record_that_was_acknowledged_at_another_offset_is_a_duplicate(story):
    story.change(story.log[5], offset=40)
    assert "duplicate" in story.kinds()


def test_two_records_at_one_offset_are_inconsistent_offsets(story):
    story.reader[7] = story.read(7, 1, story.log[9])
    assert {"inconsistent-offsets", "duplicate"} <= story.kinds()


def test_an_acknowledgement_with_the_offset_of_another_is_inconsistent(story):
    story.change(story.log[5], offset=6)
    assert "inconsistent-offsets" in story.kinds()


def test_a_failed_record_that_is_there_is_an_aborted_read(story):
    story.change(story.log[4], outcome=FAILED, offset=-1)
    assert story.kinds() == {"aborted-read"}


@pytest.mark.parametrize("value", [Value(1, 77), Value(255, 0)], ids=["a record nobody sent", "other bytes"])
def test_what_nobody_sent_is_a_phantom(story, value):
    story.log[12] = value
    story.members[1].append(story.read(12, 0))
    assert story.kinds() == {"phantom"}


def test_a_record_in_a_partition_that_it_was_not_sent_to_is_a_phantom(story):
    story.change(story.log[2], partition=1)
    assert "phantom" in story.kinds()


def test_records_of_a_producer_in_another_order_are_a_nonmonotonic_send(story):
    # In real time the two overlap: only the order of sending forbids it.
    first, second = story.log[4], story.log[6]
    story.change(first, completed=9 * SECOND, offset=6)
    story.change(second, completed=9 * SECOND, offset=4)
    story.change(story.log[5], completed=9 * SECOND)
    story.log[4], story.log[6] = second, first
    story.reader = [story.read(offset, poll=offset // 4) for offset in story.log]
    story.members[0][5], story.members[1][1] = story.read(4, 0), story.read(6, 0)
    assert story.kinds() == {"nonmonotonic-send"}


def test_a_record_before_one_that_was_acknowledged_before_it_was_sent_is_nonmonotonic_in_real_time(story):
    earlier, later = story.log[4], story.log[5]
    story.change(earlier, offset=5)
    story.change(later, offset=4)
    story.log[4], story.log[5] = later, earlier
    story.reader = [story.read(offset, poll=offset // 4) for offset in story.log]
    story.members[0][5:7] = [story.read(4, 0), story.read(5, 0)]
    assert story.kinds() == {"nonmonotonic-realtime"}


def test_a_consumer_that_goes_back_between_polls_is_a_nonmonotonic_poll(story):
    story.reader.insert(8, story.read(3, 7))
    assert "nonmonotonic-poll" in story.kinds() and "int-nonmonotonic-poll" not in story.kinds()


def test_a_consumer_that_goes_back_within_a_poll_is_an_internal_nonmonotonic_poll(story):
    story.reader[5], story.reader[6] = story.reader[6], story.reader[5]
    assert "int-nonmonotonic-poll" in story.kinds()


def test_a_consumer_that_passes_over_a_record_between_polls_is_a_poll_skip(story):
    del story.reader[4]
    assert story.kinds() == {"poll-skip"}


def test_a_consumer_that_passes_over_a_record_within_a_poll_is_an_internal_poll_skip(story):
    del story.reader[5]
    assert story.kinds() == {"int-poll-skip"}


def test_a_consumer_that_does_not_begin_where_it_was_assigned_is_a_poll_skip(story):
    story.reader[:2] = [story.assigned(0)]
    assert story.kinds() == {"poll-skip"}


def test_a_record_that_no_member_of_a_group_read_is_a_group_skip(story):
    story.members[0].pop()
    assert story.kinds() == {"group-skip"}


def test_a_missing_offset_is_a_hole():
    story = Story()
    story.log = {offset + (offset > 6): value for offset, value in story.log.items()}
    for offset, value in story.log.items():
        story.change(value, offset=offset)
    story.reader = [story.read(offset, poll=0) for offset in story.log]
    story.members = [story.reader, []]
    assert story.kinds() == {"hole"}


def test_every_kind_has_its_test():
    text = open(__file__).read()
    assert [kind for kind in KINDS if f'"{kind}"' not in text] == []
