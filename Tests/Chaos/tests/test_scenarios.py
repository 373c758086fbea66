"""Plans, the tags of records, and the verdict on a run."""

import pytest

from chaos import report
from chaos.faults import FAULTS
from chaos.history import ACKNOWLEDGED, INVOKED, UNKNOWN_PRODUCER, EventWriter, Value, read_events, sends_of
from chaos.producing import VALUE_BYTES, decode, encode
from chaos.scenario_run import Gap, Result
from chaos.scenarios import SCENARIOS


def test_a_seed_makes_the_same_plan_again_and_another_seed_another():
    for scenario in SCENARIOS:
        assert scenario.plan(7) == scenario.plan(7) != scenario.plan(8)
        assert len(scenario.plan(7)) == scenario.rounds


def test_every_fault_is_in_a_scenario_and_every_scenario_has_faults_that_exist():
    used = {fault for scenario in SCENARIOS for fault, _ in scenario.steps}
    assert used == set(FAULTS)


@pytest.mark.parametrize("value", [Value(1, 0), Value(3, 123_456), Value(2, 4_000_000_000)])
def test_a_value_is_known_again_by_all_its_bytes(value):
    data = encode(value)
    assert len(data) == VALUE_BYTES and decode(data) == value
    for place in (0, 5, VALUE_BYTES - 1):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1:]
        assert decode(changed) != value


@pytest.mark.parametrize("data", [b"", b"1:2", b"a:b:c", b":::", b"1:2:", None])
def test_rubbish_is_nobodys_value(data):
    assert decode(data).producer == UNKNOWN_PRODUCER


def test_what_a_producer_noted_is_read_again(tmp_path):
    path = tmp_path / "producer-1.events"
    writer = EventWriter(path)
    writer.add(INVOKED, 1, 3, 0, -1, 100)
    writer.add(INVOKED, 1, 2, 1, -1, 110)
    writer.add(ACKNOWLEDGED, 1, 3, 0, 17, 120)
    writer.close()
    first, second = sends_of(read_events(path))
    assert (first.partition, first.outcome, first.offset, first.completed) == (3, ACKNOWLEDGED, 17, 120)
    assert (second.partition, second.outcome, second.invoked) == (2, None, 110)


def result(acknowledged=1_000, anomalies=None, gaps=()):
    made = Result("scenario", 1, [])
    made.acknowledged = acknowledged
    made.anomalies = anomalies or {}
    made.gaps = [Gap("kill", 0, True, True, seconds) for seconds in gaps]
    return made


def test_a_good_run_has_nothing_wrong():
    assert report.verdicts([result(gaps=[0.5, 0.9, 2.9])], 1_000) == []


@pytest.mark.parametrize("bad", [
    result(acknowledged=999), result(anomalies={"duplicate": 1}), result(gaps=[0.1, 0.1, 3.1]), result(gaps=[1.1, 1.2]),
    result(gaps=[0.1, None]),
], ids=["too few records", "an anomaly", "a long gap", "long gaps", "no end of a gap"])
def test_a_bad_run_is_called_bad(bad):
    assert len(report.verdicts([bad], 1_000)) == 1
    assert "scenario" in report.line(bad) and "scenario" in report.table([bad])
