"""What a run says: a line for each scenario, the table, and the same as JSON."""

import dataclasses
import json

from chaos.gaps import p50

P50_LIMIT, MAX_LIMIT = 1.0, 3.0


def fail_overs(result):
    """Silences of partitions whose leader was harmed while a majority went on."""
    return [gap.seconds for gap in result.gaps if gap.led_by_victim and gap.limited and gap.seconds is not None]


def others(result):
    """All other silences: of partitions that others led, and after the return of a majority."""
    return [
        gap.seconds for gap in result.gaps if not (gap.led_by_victim and gap.limited) and gap.seconds is not None]


def _seconds(value):
    return "–" if value is None else f"{value:.2f}"


def line(result):
    verdict = "FAILED" if result.anomalies else "ok"
    found = ", ".join(f"{count} {kind}" for kind, count in result.anomalies.items()) or "no anomaly"
    gaps = fail_overs(result)
    return (
        f"{result.scenario}: {verdict}; {result.acknowledged:,} acknowledged, {found}; {len(gaps)} fail-overs, "
        f"gap p50 {_seconds(p50(gaps))} s, max {_seconds(max(gaps, default=None))} s; {result.seconds:.0f} s")


def table(results):
    rows = [
        "| scenario | acknowledged | anomalies | fail-overs | gap p50, s | gap max, s | other gaps max, s |",
        "|---|---|---|---|---|---|---|"]
    for result in results:
        gaps = fail_overs(result)
        rows.append(
            f"| `{result.scenario}` | {result.acknowledged:,} | {sum(result.anomalies.values())} | {len(gaps)} "
            f"| {_seconds(p50(gaps))} | {_seconds(max(gaps, default=None))} "
            f"| {_seconds(max(others(result), default=None))} |")
    every = [gap for result in results for gap in fail_overs(result)]
    rows.append(
        f"| all | {sum(result.acknowledged for result in results):,} "
        f"| {sum(sum(result.anomalies.values()) for result in results)} | {len(every)} "
        f"| {_seconds(p50(every))} | {_seconds(max(every, default=None))} "
        f"| {_seconds(max((gap for result in results for gap in others(result)), default=None))} |")
    return "\n".join(rows)


def write(path, results, facts):
    path.write_text(json.dumps(
        {**facts, "results": [dataclasses.asdict(result) for result in results]}, indent=1, default=str))


def verdicts(results, records):
    """What is wrong with the run as a whole; empty if nothing."""
    wrong = [f"{result.scenario}: {count} {kind}" for result in results for kind, count in result.anomalies.items()]
    wrong += [
        f"{result.scenario}: only {result.acknowledged:,} records acknowledged" for result in results
        if result.acknowledged < records]
    every = [gap for result in results for gap in fail_overs(result)]
    if every and p50(every) >= P50_LIMIT:
        wrong.append(f"half of the fail-overs take {p50(every):.2f} s or more, the limit is {P50_LIMIT} s")
    wrong += [
        f"{result.scenario}: a fail-over took {gap:.2f} s, the limit is {MAX_LIMIT} s" for result in results
        for gap in fail_overs(result) if gap > MAX_LIMIT]
    wrong += [
        f"{result.scenario}: nothing was acknowledged in partition {gap.partition} after {gap.fault}"
        for result in results for gap in result.gaps if gap.seconds is None]
    return wrong
