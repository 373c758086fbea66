"""The table of docs/clients.md, written from the tests that passed."""

import pytest

from harness import clients
from harness.broker import REPOSITORY

OUTCOMES = pytest.StashKey()
DOCUMENT = REPOSITORY / "docs/clients.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


class Outcomes:
    """For each feature and client, whether every test of it passed."""

    def __init__(self):
        self.passed = {}

    def add(self, item, report):
        marker = item.get_closest_marker("feature")
        parameters = getattr(item, "callspec", None) and item.callspec.params
        if marker is None or not parameters or (report.when != "call" and report.passed):
            return
        client = parameters.get("client")
        if client is None:
            return
        feature = marker.args[0].format(**{key: value for key, value in parameters.items() if key != "client"})
        key = (feature, client.name)
        self.passed[key] = self.passed.get(key, True) and report.passed

    def table(self):
        columns = clients.ALL
        features = list(dict.fromkeys(feature for feature, _ in self.passed))
        rows = ["| | " + " | ".join(f"{client.name} {client.version}" for client in columns) + " |"]
        rows.append("|---|" + "---|" * len(columns))
        for feature in features:
            cells = []
            for client in columns:
                outcome = self.passed.get((feature, client.name))
                cells.append({None: "–", True: "yes", False: "**no**"}[outcome])
            rows.append(f"| {feature} | " + " | ".join(cells) + " |")
        return "\n".join(rows)

    def write(self):
        text = DOCUMENT.read_text()
        before, rest = text.split(BEGIN)
        _, after = rest.split(END)
        DOCUMENT.write_text(f"{before}{BEGIN}\n{self.table()}\n{END}{after}")
