"""The packages under test: the chaos run's own, and the harness of the cluster tests that it uses."""

import pathlib
import sys

_CHAOS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_CHAOS), str(_CHAOS.parent / "ClusterTests")]
