"""Fixtures: brokers and clusters, what they logged when a test fails, and the table of docs/clients.md."""

import itertools
import re

import pytest

from harness import clients_table, groups
from harness.broker import Broker
from harness.cluster import Cluster

_brokers_before = pytest.StashKey()
_topic_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """Three brokers for the tests that harm nothing; each test uses topics of its own."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    cluster.start()
    yield cluster
    cluster.discard()


@pytest.fixture(scope="session")
def single(tmp_path_factory):
    """One broker alone, for the tests that harm nothing."""
    cluster = Cluster(tmp_path_factory.mktemp("single"), size=1)
    cluster.start()
    yield cluster
    cluster.discard()


@pytest.fixture(scope="session")
def grouped(tmp_path_factory):
    """Three brokers with two shards for tests of groups that harm no broker."""
    cluster = Cluster(tmp_path_factory.mktemp("grouped"), options=groups.OPTIONS + ["--shards", "2"])
    cluster.start()
    yield cluster
    cluster.discard()


@pytest.fixture
def workload(grouped, name):
    """A topic for groups, with a group of its own that has no members yet."""
    grouped.create_topic(name, partitions=groups.PARTITIONS)
    with groups.GroupWorkload(grouped, name, f"group-{name}", groups.PARTITIONS) as workload:
        yield workload


@pytest.fixture
def start_cluster(tmp_path):
    """Starts clusters that belong to one test, which may do with them what it wants."""
    made = []

    def start(size=3, options=()):
        made.append(Cluster(tmp_path / f"cluster{len(made)}", size, options))
        made[-1].brokers[0].data_dir.parent.mkdir()
        made[-1].start()
        return made[-1]

    yield start
    for cluster in made:
        cluster.discard()


@pytest.fixture
def name(request):
    """A topic name that no other test has."""
    plain = re.sub(r"[^a-zA-Z0-9]+", "-", request.node.name).strip("-")
    return f"{plain[:180]}-{next(_topic_numbers)}"


@pytest.fixture
def topic(cluster, name):
    """A topic of the shared cluster."""
    return cluster.create_topic(name)


def pytest_addoption(parser):
    parser.addoption(
        "--write-clients-table", action="store_true", help="write what passed into the table of docs/clients.md")


def pytest_configure(config):
    config.stash[clients_table.OUTCOMES] = clients_table.Outcomes()


def pytest_runtest_setup(item):
    item.stash[_brokers_before] = len(Broker.started)


def brokers_of(item):
    """The brokers that a test started, and those of the shared clusters that it used."""
    shared = [value for value in item.funcargs.values() if isinstance(value, Cluster)]
    used = [broker for cluster in shared for broker in cluster.brokers] + Broker.started[item.stash[_brokers_before]:]
    return list(dict.fromkeys(used))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for broker in brokers_of(item):
            lines = broker.log_text().splitlines()[-60:]
            report.sections.append((f"{broker.state} with data in {broker.data_dir}", "\n".join(lines)))
    item.config.stash[clients_table.OUTCOMES].add(item, report)


def pytest_sessionfinish(session):
    if session.config.getoption("--write-clients-table"):
        session.config.stash[clients_table.OUTCOMES].write()
