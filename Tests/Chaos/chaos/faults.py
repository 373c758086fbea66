"""The faults: each harms a running cluster, and undoes the harm when its time is over.

A fault is a generator function of (cluster, victims, random): what stands before its `yield` does harm, what stands
behind it heals. `victims` are brokers that the plan's step chose, most often the leader alone.
"""

import time
from typing import Callable, NamedTuple

from harness.waiting import wait_until

FAULTS = {}


class Fault(NamedTuple):
    name: str
    run: Callable
    # Whether a majority of brokers keeps running and hears each other, so that writes must go on within a limit.
    keeps_majority: bool
    # Whether brokers need disks that can be harmed.
    needs_image: bool


def fault(name, keeps_majority=True, needs_image=False):
    def register(function):
        FAULTS[name] = Fault(name, function, keeps_majority, needs_image)
        return function
    return register


def _others(cluster, victims):
    return [broker.node_id for broker in cluster.brokers if broker not in victims]


def _numbers(brokers):
    return [broker.node_id for broker in brokers]


# Processes


@fault("kill")
def _kill(cluster, victims, random):
    cluster.kill(victims)
    yield
    cluster.launch(victims)


@fault("kill-many", keeps_majority=False)
def _kill_many(cluster, victims, random):
    yield from _kill(cluster, victims, random)


@fault("pause")
def _pause(cluster, victims, random):
    for broker in victims:
        broker.pause()
    yield
    for broker in victims:
        broker.resume()


@fault("restart")
def _restart(cluster, victims, random):
    """One broker after the other ends in good order and comes back, as when a new version is rolled out."""
    for broker in victims:
        cluster.stop(broker)
        cluster.launch([broker])
        cluster.wait_until_serving()
    yield


# Networks


@fault("cut-from-peers")
def _cut_from_peers(cluster, victims, random):
    """Clients still reach the victims, which must find out themselves that they lead no longer."""
    cluster.network.separate(_numbers(victims), _others(cluster, victims))
    yield
    cluster.network.heal()


@fault("isolate")
def _isolate(cluster, victims, random):
    for broker in victims:
        cluster.network.isolate(broker.node_id)
    yield
    cluster.network.heal()


@fault("split")
def _split(cluster, victims, random):
    """Two parts; clients see both."""
    yield from _cut_from_peers(cluster, victims, random)


@fault("deaf")
def _deaf(cluster, victims, random):
    """The victims hear no broker any more, and all hear them."""
    for number in _others(cluster, victims):
        cluster.network.cut(number, _numbers(victims))
    yield
    cluster.network.heal()


@fault("mute")
def _mute(cluster, victims, random):
    """No broker hears the victims any more, and they hear all."""
    for broker in victims:
        cluster.network.cut(broker.node_id, _others(cluster, victims))
    yield
    cluster.network.heal()


@fault("bridge")
def _bridge(cluster, victims, random):
    """Two parts that see each other only through one broker in the middle, which sees everybody."""
    others = [number for number in _others(cluster, victims)]
    middle = random.choice(others)
    others.remove(middle)
    half = len(cluster.brokers) // 2
    left = (_numbers(victims) + others)[:half]
    right = [number for number in _numbers(victims) + others if number not in left]
    cluster.network.separate(left, right)
    yield
    cluster.network.heal()


@fault("slow-and-lossy")
def _slow_and_lossy(cluster, victims, random):
    """Every link loses packets and lets 20 Mbit/s out, the victims' 2."""
    cluster.network.degrade([broker.node_id for broker in cluster.brokers], random.choice([0.01, 0.02, 0.05]), 20)
    cluster.network.degrade(_numbers(victims), 0.02, 2)
    yield
    cluster.network.heal()


@fault("flapping")
def _flapping(cluster, victims, random):
    """The victims' links break and come back, faster than an election takes and slower."""
    until = time.monotonic() + 4
    while time.monotonic() < until:
        _isolate_for(cluster, victims, random.uniform(0.1, 0.9))
        _wait(random.uniform(0.1, 0.9))
    yield


def _isolate_for(cluster, victims, seconds):
    for broker in victims:
        cluster.network.isolate(broker.node_id)
    _wait(seconds)
    cluster.network.heal()


def _wait(seconds):
    """Lets a fault last: here time itself is what is asked for."""
    time.sleep(seconds)


# Disks


def _wait_until_ended(cluster, victims, since):
    """A disk that fails must end its broker: one that goes on would serve what it cannot keep."""
    for broker in victims:
        wait_until(
            lambda: cluster.has_ended_since(broker, since), f"broker {broker.node_id} ends when its disk fails", 60)


@fault("full-disk", needs_image=True)
def _full_disk(cluster, victims, random):
    """Room for a few segments more. The service manager tries again and again, in vain, until there is space."""
    since = time.monotonic()
    for broker in victims:
        cluster.disks[broker.node_id].fill(left=random.choice([0, 1 << 20, 3 << 20]))
    _wait_until_ended(cluster, victims, since)
    yield
    for broker in victims:
        cluster.disks[broker.node_id].free()


@fault("failing-flush", needs_image=True)
def _failing_flush(cluster, victims, random):
    since = time.monotonic()
    for broker in victims:
        cluster.disks[broker.node_id].fail_flushes()
    _wait_until_ended(cluster, victims, since)
    yield
    _with_repaired_disks(cluster, victims)


@fault("power-cut", needs_image=True)
def _power_cut(cluster, victims, random):
    """The disks stop at one moment, with what is in them; then the machines are off."""
    for broker in victims:
        cluster.disks[broker.node_id].cut_power()
    cluster.kill(victims)
    yield
    _with_repaired_disks(cluster, victims)


@fault("power-cut-many", keeps_majority=False, needs_image=True)
def _power_cut_many(cluster, victims, random):
    yield from _power_cut(cluster, victims, random)


def _with_repaired_disks(cluster, victims):
    cluster.kill(victims)
    for broker in victims:
        cluster.disks[broker.node_id].repair()
    cluster.launch(victims)
