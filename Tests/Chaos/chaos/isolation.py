"""Runs the whole of a chaos run in namespaces of its own, so that brokers, mounts and networks end with it, however it
ends."""

import os
import pathlib
import sys

_INSIDE = "MARTLET_CHAOS_INSIDE"


def enter():
    """Starts this program again inside, unless it is there; sets up what the namespaces need."""
    if not os.environ.get(_INSIDE):
        if os.geteuid() != 0:
            sys.exit("chaos needs root for its namespaces and mounts: run it with sudo")
        command = [
            "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
            sys.executable, *sys.argv]
        os.execvpe(command[0], command, {**os.environ, _INSIDE: "1"})
    from chaos.network import run
    # The names of network namespaces are mounts: here they are mounts that nobody else sees.
    pathlib.Path("/run/netns").mkdir(exist_ok=True)
    run("mount", "-t", "tmpfs", "tmpfs", "/run/netns")
