"""Carries out one scenario: starts everything, harms it by plan, lets it recover, and has the history checked."""

import collections
import dataclasses
import random
import shutil
import subprocess
import time

from chaos import checker, scenarios
from chaos.cluster import ChaosCluster
from chaos.disks import Directory, Image
from chaos.faults import FAULTS
from chaos.gaps import longest_silence
from chaos.history import ACKNOWLEDGED, History
from chaos.network import Network
from chaos.workload import Workload
from harness import requests
from harness.cluster import stop_and_compare_logs
from harness.waiting import wait_until
from harness.wire import Connection

TOPIC, PARTITIONS, SHARDS = "chaos", 4, 2
_RECOVERY_SECONDS = 45
_ANOMALY_EXAMPLES = 20


@dataclasses.dataclass
class Harm:
    """A step as it was carried out; times are of the monotonic clock."""
    step: scenarios.Step
    victims: list
    # The partitions that a victim led when it was harmed.
    led: list
    began: float
    healed: float = 0.0
    # How long after healing every producer was acknowledged in every partition.
    recovered_after: float | None = None


@dataclasses.dataclass
class Gap:
    """The longest silence of one partition from one fault to the next."""
    fault: str
    partition: int
    led_by_victim: bool
    # Whether a majority went on that had to take over.
    limited: bool
    # None: no record was acknowledged any more.
    seconds: float | None


@dataclasses.dataclass
class Result:
    scenario: str
    seed: int
    plan: list
    acknowledged: int = 0
    seconds: float = 0.0
    anomalies: dict = dataclasses.field(default_factory=dict)
    examples: list = dataclasses.field(default_factory=list)
    gaps: list = dataclasses.field(default_factory=list)
    harms: list = dataclasses.field(default_factory=list)
    ended: list = dataclasses.field(default_factory=list)

    def add(self, kind, detail):
        self.anomalies[kind] = self.anomalies.get(kind, 0) + 1
        if self.anomalies[kind] <= _ANOMALY_EXAMPLES:
            self.examples.append(f"{kind}: {detail}")


class ScenarioRun:
    """Owned by the thread that runs it. What it leaves in `directory`: histories, brokers' logs, and their data."""

    def __init__(self, scenario, seed, directory, records, rate, say):
        self.scenario, self.directory, self.records, self.say = scenario, directory, records, say
        self.plan = scenario.plan(seed)
        self.result = Result(scenario.name, seed, [str(step) for step in self.plan])
        directory.mkdir(parents=True)
        self.network = Network(scenario.size)
        self.disks = {}
        for number in self.network.links:
            kind = Image if scenario.needs_images else Directory
            self.disks[number] = kind(directory / f"disk-{number}")
        self.cluster = ChaosCluster(directory, self.network, self.disks, ["--shards", str(SHARDS)])
        self.workload = Workload(self.cluster.bootstrap, TOPIC, PARTITIONS, directory, rate)
        self.harms = []

    def run(self):
        began = time.monotonic()
        try:
            self._run_until_stuck()
            self.workload.discard()
            self._check()
        finally:
            self._discard()
        self.result.acknowledged = self.workload.count
        self.result.ended = [f"broker {broker.node_id}, status {status}" for broker, status, _ in self.cluster.ended]
        self.result.seconds = time.monotonic() - began
        return self.result

    def _run_until_stuck(self):
        try:
            self._run()
        except (AssertionError, OSError, subprocess.TimeoutExpired) as failure:
            # Something that must happen did not: brokers or clients are stuck, or the logs differ.
            self.result.add("stuck", str(failure))

    def _run(self):
        self.cluster.start()
        self.cluster.create_topic(TOPIC, PARTITIONS)
        self.workload.start()
        self.workload.wait_until_all_flow()
        # Not a wait: a part of the load before any harm.
        time.sleep(1)
        for step in self.plan:
            self._harm(step)
        wait_until(lambda: self.workload.count >= self.records, f"{self.records} records are acknowledged", 300)
        self.stopped = time.monotonic()
        unanswered = self.workload.stop_producing()
        if unanswered:
            self.result.add("stuck", f"{unanswered} records were not answered within a minute without faults")
        self.cluster.wait_until_serving()
        ends = [self._end(partition) for partition in range(PARTITIONS)]
        self.workload.drain(ends)
        self.workload.read_all(ends)
        stop_and_compare_logs(self.cluster, SHARDS)

    def _harm(self, step):
        chance = random.Random(step.seed)
        self.cluster.wait_until_serving()
        leaders = self.cluster.leaders(TOPIC, PARTITIONS)
        victims = scenarios.victims(step.target, self.cluster.brokers, leaders[0], chance)
        led = [partition for partition, leader in enumerate(leaders) if leader in victims]
        harm = Harm(step, [broker.node_id for broker in victims], led, time.monotonic())
        self.harms.append(harm)
        course = FAULTS[step.fault].run(self.cluster, victims, chance)
        next(course)
        time.sleep(step.lasts)
        next(course, None)
        harm.healed = time.monotonic()
        harm.recovered_after = self.workload.wait_until_all_flow(_RECOVERY_SECONDS)
        self.say(f"  {step}: brokers {harm.victims}, all well {harm.recovered_after:.1f} s after it")
        self.cluster.wait_until_serving()
        time.sleep(step.rests)

    def _end(self, partition):
        def latest():
            leader = self.cluster.leader(TOPIC, partition)
            with Connection(leader.address) as connection:
                error, offset, _ = requests.list_offset(connection, TOPIC, requests.LATEST, partition)
            return (offset,) if error == 0 else None
        return wait_until(latest, f"partition {partition} has an end to ask for")[0]

    def _discard(self):
        """Nothing of the run goes on, whatever happened in it."""
        self.workload.discard()
        self.cluster.discard()
        for number, disk in self.disks.items():
            if self.result.anomalies and isinstance(disk, Image):
                # The image is in memory: what a person wants to look at must be copied.
                shutil.copytree(disk.path / "data", self.directory / f"data-{number}", dirs_exist_ok=True)
            disk.close()
        self.network.close()

    def _check(self):
        self.result.harms = self.harms
        if not (self.directory / "final.events").exists():
            # It is stuck: what would be missing at the end nobody could tell.
            return
        history = History.load(self.directory)
        for anomaly in checker.check(history):
            self.result.add(*anomaly)
        self.result.gaps = list(self._gaps(history))

    def _gaps(self, history):
        times = collections.defaultdict(list)
        for send in history.sends:
            if send.outcome == ACKNOWLEDGED:
                times[send.partition].append(send.completed / 1e9)
        ends = [harm.began for harm in self.harms[1:]] + [self.stopped]
        for harm, end in zip(self.harms, ends):
            fault = FAULTS[harm.step.fault]
            # While most brokers are away nobody can acknowledge: what counts is how soon it goes on when they are back.
            start = harm.began if fault.keeps_majority else harm.healed
            for partition in range(PARTITIONS):
                silence = longest_silence(sorted(times[partition]), start, end)
                limited = fault.keeps_majority and fault.fails_over
                yield Gap(harm.step.fault, partition, partition in harm.led, limited, silence)
