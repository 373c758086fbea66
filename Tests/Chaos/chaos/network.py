"""A network of the run's own: a bridge, and a network namespace with a veth pair for each broker.

All of it lives in namespaces that end with the run (see `isolation`), so that nothing is left to be removed.
"""

import subprocess

from chaos.packet_filter import DESTINATION, SOURCE, bytecode

CLIENTS = "10.77.0.254"
_BRIDGE = "chaos0"


def run(*command):
    """Runs a system command that must succeed."""
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise OSError(f"{' '.join(command)} failed: {result.stderr.strip()}")
    return result.stdout


class Network:
    """Clients, and the run itself, sit at the bridge; brokers are behind a link each."""

    def __init__(self, size):
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", _BRIDGE, "type", "bridge")
        run("ip", "addr", "add", f"{CLIENTS}/24", "dev", _BRIDGE)
        run("ip", "link", "set", _BRIDGE, "up")
        self.links = {number: Link(number) for number in range(1, size + 1)}

    def close(self):
        for link in self.links.values():
            run("ip", "netns", "del", link.namespace)
        run("ip", "link", "del", _BRIDGE)

    def cut(self, sender, receivers):
        """Nothing that broker `sender` sends reaches `receivers` (brokers' numbers, or CLIENTS) any more."""
        self.links[sender].unreachable |= {self._address(receiver) for receiver in receivers}
        self.links[sender].apply()

    def cut_clients(self, receiver):
        """Nothing that clients send reaches broker `receiver` any more."""
        self.links[receiver].unheard.add(CLIENTS)
        self.links[receiver].apply()

    def separate(self, left, right):
        """Cuts both directions between two sets of brokers."""
        for number in left:
            self.cut(number, right)
        for number in right:
            self.cut(number, left)

    def isolate(self, number):
        """Cuts a broker off from everybody, clients included."""
        self.separate([number], [other for other in self.links if other != number])
        self.cut(number, [CLIENTS])
        self.cut_clients(number)

    def degrade(self, numbers, loss=0.0, megabits=None):
        """Loses a share of the packets that these brokers send, and lets no more than so many bits a second out."""
        for number in numbers:
            self.links[number].loss = loss
            self.links[number].megabits = megabits
            self.links[number].apply()

    def heal(self):
        for link in self.links.values():
            link.heal()

    def _address(self, receiver):
        return receiver if receiver == CLIENTS else self.links[receiver].address


class Link:
    """One broker's end: what passes, and how fast."""

    def __init__(self, number):
        self.address = f"10.77.0.{number}"
        self.namespace = f"broker{number}"
        self.unreachable, self.unheard, self.loss, self.megabits = set(), set(), 0.0, None
        outside = f"chaos-{number}"
        run("ip", "netns", "add", self.namespace)
        run("ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        run("ip", "link", "set", outside, "master", _BRIDGE, "up")
        run("ip", "-n", self.namespace, "addr", "add", f"{self.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            run("ip", "-n", self.namespace, "link", "set", device, "up")
        run("tc", "-n", self.namespace, "qdisc", "add", "dev", "eth0", "clsact")

    @property
    def launcher(self):
        """The command before a command that runs it behind this link. Not `ip netns exec`: that has mounts of its own,
        which would keep a disk busy that is unmounted here."""
        return ["nsenter", f"--net=/run/netns/{self.namespace}", "--"]

    def apply(self):
        self._filter("egress", bytecode(self.unreachable, DESTINATION, self.loss))
        self._filter("ingress", bytecode(self.unheard, SOURCE))
        if self.megabits:
            run("tc", "-n", self.namespace, "qdisc", "replace", "dev", "eth0", "root", "tbf",
                "rate", f"{self.megabits}mbit", "burst", "16k", "latency", "300ms")

    def _filter(self, direction, program):
        run("tc", "-n", self.namespace, "filter", "replace", "dev", "eth0", direction, "pref", "1", "handle", "1",
            "bpf", "da", "bytecode", program)

    def heal(self):
        if self.megabits:
            run("tc", "-n", self.namespace, "qdisc", "del", "dev", "eth0", "root")
        self.unreachable, self.unheard, self.loss, self.megabits = set(), set(), 0.0, None
        self.apply()
