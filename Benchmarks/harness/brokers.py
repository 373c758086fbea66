"""Brokers as processes of their own, each with data in a directory that goes with it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from .needs import product

PATIENCE = 60


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def data_directory():
    """On the disk that is measured: where the run was started."""
    return tempfile.mkdtemp(prefix="martlet-bench-", dir=os.getcwd())


def bench_command(bootstrap, *arguments):
    return [product("martlet"), "bench", *map(str, arguments), "--json", "--bootstrap", bootstrap]


def bench(bootstrap, *arguments):
    """What `martlet bench` says, as soon as it can: until brokers have found each other, topics have no leader."""
    deadline = time.monotonic() + PATIENCE
    while True:
        done = subprocess.run(bench_command(bootstrap, *arguments), capture_output=True, text=True, timeout=600)
        if done.returncode == 0:
            return json.loads(done.stdout)
        if time.monotonic() > deadline:
            raise SystemExit(done.stderr)
        time.sleep(0.2)


def resident_bytes(pid):
    """What the process has in memory now."""
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


class Processes:
    """Processes that end with the block, and their directory."""

    def __init__(self):
        self.directory = data_directory()
        self.processes = []

    def launch(self, *command):
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def stop(self, number=signal.SIGTERM):
        for process in self.processes:
            process.send_signal(number)
        for process in self.processes:
            process.wait()
        self.processes = []

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory)

    def resident(self):
        return [resident_bytes(process.pid) for process in self.processes]


class Cluster(Processes):
    """Martlet."""

    def __init__(self, size, compression="1", options=()):
        super().__init__()
        self.size, self.options = size, ["--compression", compression, *options]
        self.ports = free_ports(2 * size)
        self.bootstrap = ",".join(f"127.0.0.1:{port}" for port in self.ports[:size])

    def start(self):
        members = ",".join(f"{n + 1}=127.0.0.1:{self.ports[self.size + n]}" for n in range(self.size))
        for n in range(self.size):
            self.launch(
                product("martlet"), "serve", "--node-id", n + 1, "--data-dir", f"{self.directory}/{n + 1}",
                "--listen", f"127.0.0.1:{self.ports[n]}", "--peer-listen", f"127.0.0.1:{self.ports[self.size + n]}",
                "--cluster", members, *self.options)

    def bench(self, *arguments):
        return bench(self.bootstrap, *arguments)


class NullCluster(Processes):
    """One null broker and its followers. `keeping` ones have files that are not written a second time."""

    def __init__(self, size, retain_mib=0, keeping=False):
        super().__init__()
        self.retain_mib = retain_mib
        self.storage = ["--keeping", "--file-mib", 8192] if keeping else []
        self.ports = free_ports(size)

    def launch_one(self, port, *arguments):
        self.launch(product("null-broker"), "--port", port, "--file", f"{self.directory}/{port}", *self.storage,
                    *arguments)

    def start(self):
        leader, *followers = self.ports
        for port in followers:
            self.launch_one(port, "--follower")
        for port in followers:
            wait_for_listener(port)
        self.launch_one(
            leader, "--retain-mib", self.retain_mib, *(word for port in followers for word in ("--forward", port)))

    def stop(self):
        super().stop(signal.SIGKILL)

    def bench(self, *arguments):
        return bench(f"127.0.0.1:{self.ports[0]}", *arguments)


def wait_for_listener(port):
    """Until somebody listens, without connecting: some would take the connection for somebody's."""
    entry = f":{port:04X} 00000000:0000 0A"
    deadline = time.monotonic() + PATIENCE
    while True:
        with open("/proc/net/tcp") as table:
            if entry in table.read():
                return
        if time.monotonic() > deadline:
            raise SystemExit(f"nobody listens on port {port}")
        time.sleep(0.02)
