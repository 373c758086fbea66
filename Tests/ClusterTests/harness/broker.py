"""One `martlet serve` process."""

import os
import pathlib
import random
import signal
import socket
import subprocess

from harness.waiting import wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
BINARY = os.environ.get("MARTLET_BIN", str(REPOSITORY / ".build/debug/martlet"))

# Small segments, so that sealed files and their sidecars take part in every test that writes a few megabytes.
SEGMENT_MIB = 4


def _own_ports():
    """Ports of this process of the tests, in a random order: another one, beside it, must not take the port of a broker
    that is about to start, or is down for a moment. All are below the range from which the kernel takes ports for
    outgoing connections."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 5
    ports = list(range(20_000 + 2_000 * worker, 22_000 + 2_000 * worker))
    random.shuffle(ports)
    return ports


_PORTS = _own_ports()


def free_port():
    """A port that nobody listens on and that was not given to another broker."""
    while True:
        port = _PORTS.pop()
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Broker:
    """A broker that can be started, killed and started again on the same ports and the same directory."""

    # Every broker of the test run, so that a failing test can show what they logged.
    started = []

    def __init__(
            self, node_id, data_dir, cluster=None, kafka_port=None, peer_port=None, options=(), host="127.0.0.1",
            launcher=()):
        """`launcher` is a command that executes the one behind it, somewhere else."""
        self.node_id = node_id
        self.host = host
        self.launcher = list(launcher)
        self.data_dir = pathlib.Path(data_dir)
        self.kafka_port = kafka_port or free_port()
        self.peer_port = peer_port or free_port()
        self.cluster = cluster
        self.options = list(options)
        self.process = None
        self.log_path = self.data_dir.with_suffix(".log")

    @property
    def address(self):
        return f"{self.host}:{self.kafka_port}"

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def state(self):
        """For people: whether the broker runs, or how it ended."""
        if self.process is None:
            return f"broker {self.node_id}, never started,"
        status = self.process.poll()
        ended = "running" if status is None else f"ended with status {status}"
        return f"broker {self.node_id}, {ended},"

    def log_text(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def command(self, *extra):
        arguments = [
            *self.launcher, BINARY, "serve", "--node-id", str(self.node_id), "--data-dir", str(self.data_dir),
            "--listen", self.address, "--log-level", "info",
        ]
        if self.cluster:
            arguments += ["--peer-listen", f"{self.host}:{self.peer_port}", "--cluster", self.cluster]
        if "--segment-mib" not in self.options:
            arguments += ["--segment-mib", str(SEGMENT_MIB)]
        return arguments + self.options + list(extra)

    def launch(self, *extra):
        """Starts the process without waiting for anything."""
        assert not self.is_running, "the broker runs already"
        with open(self.log_path, "ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(self.command(*extra), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        if self not in Broker.started:
            Broker.started.append(self)

    def start(self, *extra):
        """Starts the process and waits until it takes connections."""
        self.launch(*extra)
        wait_until(lambda: self._is_ready() or not self.is_running, f"broker {self.node_id} says it is ready")
        assert self.is_running, f"broker {self.node_id} ended at its start:\n{self.log_text()[-2000:]}"

    def _is_ready(self):
        return "[martlet] ready" in self.log_since_start()

    def log_since_start(self):
        return self.log_text().encode()[self._log_start:].decode(errors="replace")

    def start_refused(self, *extra):
        """Starts a broker that must end by itself, not by a signal; returns what it said."""
        self.launch(*extra)
        status = self.process.wait(timeout=30)
        assert status > 0, f"the broker should have refused to start; its exit status is {status}"
        return self.log_since_start()

    def kill(self):
        """SIGKILL: nothing is written, flushed or closed any more."""
        self.process.kill()
        self.process.wait(timeout=30)

    def stop(self):
        """SIGTERM, and the orderly end that follows it."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=40)
        assert status == 0, f"broker {self.node_id} ended with status {status} after SIGTERM"

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def discard(self):
        """Ends the process at the end of a test, however it stands."""
        if self.is_running:
            self.kill()

    def rss_bytes(self):
        """The process's resident memory."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"broker {self.node_id} has no memory any more: it is gone")

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def log_directory(self, shard=0):
        return self.data_dir / f"shard-{shard}"

    def segments(self, shard=0):
        """The log's files in their order, the active one last."""
        return sorted(self.log_directory(shard).glob("*.log"))
