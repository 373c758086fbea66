"""Builds and installs what a scenario needs, once in a run."""

import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / ".build"
GO_PACKAGES = "/usr/share/gocode"


@cache
def product(name):
    """The path of one of this package's programs, built with optimisation. MARTLET_BIN and the like name another."""
    given = os.environ.get(name.replace("-", "_").upper() + "_BIN")
    if given:
        return given
    # As the Makefile does, or each would build all of it anew.
    static = ["--static-swift-stdlib"] if platform.system() == "Linux" else []
    subprocess.run(["swift", "build", "-c", "release", *static, "--product", name], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL)
    return str(BUILD / "release" / name)


@cache
def debian(*packages):
    """Installs what is missing."""
    missing = [one for one in packages
               if subprocess.run(["dpkg", "-s", one], capture_output=True).returncode != 0]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise SystemExit(f"this scenario needs Debian's packages {' '.join(missing)}")
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*sudo, "apt-get", "update", "-q"], check=True)
    subprocess.run([*sudo, "apt-get", "install", "-y", "-q", "--no-install-recommends", *missing], check=True)


@cache
def version(package):
    return subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package],
                          check=True, capture_output=True, text=True).stdout


@cache
def go_program(source):
    """Builds a Go program against Debian's packages alone: no modules, nothing downloaded."""
    path = BUILD / "bench" / Path(source).name.lower()
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["go", "build", "-o", str(path), "./" + source], cwd=ROOT, check=True, env={
        **os.environ, "GO111MODULE": "off", "GOPATH": GO_PACKAGES, "GOFLAGS": "", "GOCACHE": str(BUILD / "bench/go")})
    return str(path)
