"""The scenarios, and the plan of faults that a seed makes of each."""

import random
from typing import NamedTuple

from chaos.faults import FAULTS


class Step(NamedTuple):
    """One fault: on whom, for how long, and how long all is well afterwards; seconds."""
    fault: str
    target: str
    lasts: float
    rests: float
    seed: int

    def __str__(self):
        return f"{self.fault} of {self.target} for {self.lasts} s"


class Scenario(NamedTuple):
    name: str
    size: int
    # What may happen: (fault, target) of which each round takes the next, or any if `shuffled`.
    steps: tuple
    rounds: int
    lasts: tuple = (2.0, 4.0)
    shuffled: bool = False

    @property
    def needs_images(self):
        return any(FAULTS[fault].needs_image for fault, _ in self.steps)

    def plan(self, seed):
        """The same steps for the same seed, whatever happens while they are carried out."""
        chance = random.Random(f"{self.name}/{seed}")
        steps = []
        for number in range(self.rounds):
            fault, target = chance.choice(self.steps) if self.shuffled else self.steps[number % len(self.steps)]
            steps.append(Step(
                fault, target, round(chance.uniform(*self.lasts), 2), round(chance.uniform(1.0, 2.0), 2),
                chance.randrange(1 << 32)))
        return steps


_EVERYTHING = (
    ("kill", "leader"), ("kill", "follower"), ("kill-many", "all"), ("kill-many", "majority"), ("pause", "leader"),
    ("pause", "follower"), ("restart", "all"), ("cut-from-peers", "leader"), ("isolate", "leader"),
    ("isolate", "follower"), ("deaf", "leader"), ("mute", "leader"), ("deaf", "follower"), ("mute", "follower"),
    ("bridge", "leader"), ("slow-and-lossy", "leader"), ("flapping", "leader"), ("flapping", "follower"),
    ("full-disk", "leader"), ("failing-flush", "leader"), ("failing-flush", "follower"), ("power-cut", "leader"),
    ("power-cut-many", "all"),
)

SCENARIOS = (
    Scenario("kill-leader-3", 3, (("kill", "leader"),), 6, (1.0, 3.0)),
    Scenario("kill-leader-5", 5, (("kill", "leader"),), 5, (1.0, 3.0)),
    Scenario("kill-follower-3", 3, (("kill", "follower"),), 5, (1.0, 3.0)),
    Scenario("kill-all-3", 3, (("kill-many", "all"), ("kill-many", "majority")), 5, (0.5, 2.0)),
    Scenario("kill-majority-5", 5, (("kill-many", "majority"),), 4, (0.5, 2.0)),
    Scenario("pause-leader-3", 3, (("pause", "leader"),), 5),
    Scenario("pause-leader-5", 5, (("pause", "leader"), ("pause", "follower")), 5),
    Scenario("cut-leader-from-peers-3", 3, (("cut-from-peers", "leader"),), 5),
    Scenario("isolate-leader-3", 3, (("isolate", "leader"),), 5),
    Scenario("isolate-leader-5", 5, (("isolate", "leader"), ("isolate", "follower")), 5),
    Scenario("split-5", 5, (("split", "minority"), ("split", "majority")), 5),
    Scenario("one-way-3", 3, (("mute", "leader"), ("deaf", "leader"), ("mute", "follower"), ("deaf", "follower")), 6),
    Scenario("bridge-3", 3, (("bridge", "leader"),), 4),
    Scenario("bridge-5", 5, (("bridge", "leader"), ("bridge", "follower")), 4),
    Scenario("flapping-3", 3, (("flapping", "leader"), ("flapping", "follower")), 4, (0.0, 0.1)),
    Scenario("slow-and-lossy-3", 3, (("slow-and-lossy", "leader"), ("slow-and-lossy", "follower")), 3, (6.0, 9.0)),
    Scenario("full-disk-3", 3, (("full-disk", "leader"), ("full-disk", "follower")), 4),
    Scenario("failing-flush-3", 3, (("failing-flush", "leader"), ("failing-flush", "follower")), 4),
    Scenario("power-cut-3", 3, (("power-cut", "leader"), ("power-cut-many", "all")), 4, (0.5, 2.0)),
    Scenario("power-cut-5", 5, (("power-cut", "leader"), ("power-cut-many", "majority")), 4, (0.5, 2.0)),
    Scenario("rolling-restart-3", 3, (("restart", "all"),), 3, (0.0, 0.1)),
    Scenario("rolling-restart-5", 5, (("restart", "all"),), 2, (0.0, 0.1)),
    Scenario("everything-3", 3, _EVERYTHING, 12, (1.5, 4.0), shuffled=True),
    Scenario("everything-5", 5, _EVERYTHING, 12, (1.5, 4.0), shuffled=True),
)


def victims(target, brokers, leader, chance):
    """The brokers that a step harms; `leader` leads the first partition."""
    followers = [broker for broker in brokers if broker is not leader]
    chance.shuffle(followers)
    half = len(brokers) // 2
    return {
        "leader": [leader],
        "follower": followers[:1],
        # The leader is among the few: the many must elect another.
        "minority": [leader] + followers[:half - 1],
        "majority": [leader] + followers[:half],
        "all": list(brokers),
    }[target]
