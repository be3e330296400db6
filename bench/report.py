#!/usr/bin/env python3
"""The tables of docs/performance.md and a plot a workload, from what bench.py measured.

    bench/report.py FILE... [--docs FOLDER]

Of several files, as parts of a bench give them, a later one's rows stand for an earlier one's of the same kind. Writes between the page's marks <!-- bench:begin --> and <!-- bench:end -->, and FOLDER/performance-WORKLOAD.svg.
"""

import argparse
import json
import math
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TITLES = {
    "order_documents": "(a) every event writes a document of its own",
    "customer_join": "(b) customers and orders joined, with hot customers",
    "hot_accounts": "(c) few documents that fold many events",
    "customer_bank_view": "(d) the bank view: four topics, joined by links and through one another",
    "orders_per_day": "(e) a counter: 16 partitions into one document",
}
STORES = {"redis": "Redis", "mongodb": "MongoDB", None: ""}
COLOURS = {"consume": "#8a8f98", "store": "#b9c4d6", "redis": "#c6302b", "mongodb": "#10884c"}
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def thousands(number):
    return f"{number:,.0f}"


def range_of(row, key, form):
    low, high = row[key + "_range"]
    return f"{form(row[key])} ({form(low)}–{form(high)})"


def name_of(row):
    if row["what"] == "consume":
        return "librdkafka reads and drops"
    workers = f"{row['workers']} worker{'s' if row['workers'] > 1 else ''}"
    return f"{STORES[row['store']]} alone, {workers}" if row["what"] == "store" else f"**viewfold, {STORES[row['store']]}, {workers}**"


def throughput(rows):
    yield "| | events/s, median (range) | of the lower ceiling | times one worker | CPU s a million: own + server | resident MiB | writes an event | conflicts a write |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        mine = row["what"] == "viewfold"
        server = f" + {row['server_cpu_s_per_million']:.1f}" if "server_cpu_s_per_million" in row else ""
        yield (
            f"| {name_of(row)} | {range_of(row, 'events_s', thousands)} "
            f"| {format(row['of_lower'], '.2f') if 'of_lower' in row else ''} "
            f"| {format(row['times_one'], '.2f') if 'times_one' in row else ''} "
            f"| {row['cpu_s_per_million']:.1f}{server} | {row['rss_mib']:.0f} "
            f"| {format(row['writes_per_event'], '.3f') if 'writes_per_event' in row else ''} "
            f"| {format(row['conflicts_per_write'], '.3f') if mine else ''} |"
        )


def evenness(rows):
    """For the workloads without a ceiling of the store: who meets whom, and who waits for whom."""
    yield "| | events/s, median (range) | times one worker | CPU s a million: own + server | resident MiB | writes an event | conflicts a write | refolds a write | held | a worker's share, least–most | a partition's |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        mine = row["what"] == "viewfold"
        server = f" + {row['server_cpu_s_per_million']:.1f}" if "server_cpu_s_per_million" in row else ""
        cells = [
            name_of(row),
            range_of(row, "events_s", thousands),
            format(row["times_one"], ".2f") if "times_one" in row else "",
            f"{row['cpu_s_per_million']:.1f}{server}",
            f"{row['rss_mib']:.0f}",
            format(row["writes_per_event"], ".3f") if mine else "",
            format(row["conflicts_per_write"], ".3f") if mine else "",
            format(row["refolds_per_write"], ".3f") if mine else "",
            f"{row['held_per_event']:.0%}" if mine else "",
            *(f"{row[what + '_least']:.2f}–{row[what + '_most']:.2f}" if what + "_least" in row else "" for what in ("worker", "partition")),
        ]
        yield f"| {' | '.join(cells)} |"


def latencies(rows):
    yield "| event to visible, ms: median of five windows (range) | load | p50 | p99 | p99.9 |"
    yield "|---|---|---|---|---|"
    form = lambda number: f"{number:.1f}" if number < 100 else thousands(number)
    for row in rows:
        name = f"{STORES[row['store']]}, {row['workers']} worker{'s' if row['workers'] > 1 else ''}"
        unseen = f" ({row['unseen']:,} not seen in time)" if row["unseen"] else ""
        yield (
            f"| {name} | {row['share']:.0%}: {thousands(row['rate'])}/s{unseen} | "
            + " | ".join(range_of(row, key, form) for key in ("p50_ms", "p99_ms", "p999_ms"))
            + " |"
        )


def memories(rows):
    yield "| backlog | configured budget | resident at most | beyond the budget |"
    yield "|---|---|---|---|"
    for row in rows:
        name = f"{STORES[row['store']]}, {row['workers']} worker{'s' if row['workers'] > 1 else ''}"
        yield f"| {name}: {row['backlog_mib']:.0f} MiB of records | {row['budget_mib']:.0f} MiB | {row['rss_mib']:.0f} MiB | {row['rss_mib'] - row['budget_mib']:.0f} MiB |"


# --- plots ---


class Plot:
    def __init__(self, width, height):
        self.width, self.height, self.parts = width, height, []

    def text(self, x, y, text, anchor="start", size=12, weight="normal"):
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace("*", "")
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}">{text}</text>')

    def line(self, x1, y1, x2, y2, colour="#999", width=1.0, dashes=""):
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"{dashed}/>'
        )

    def box(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>')

    def dot(self, x, y, colour):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.height}" '
                f'viewBox="0 0 {self.width} {self.height}" font-family="sans-serif" fill="#222">\n'
                f'<rect width="{self.width}" height="{self.height}" fill="#fff"/>\n' + "\n".join(self.parts) + "\n</svg>\n"
            )


def plot_bars(plot, rows, left, top, width):
    """Events a second, a bar each, with the range of the runs."""
    most = max(row["events_s_range"][1] for row in rows) * 1.15
    y = top
    for row in rows:
        colour = COLOURS[row["store"]] if row["what"] == "viewfold" else COLOURS[row["what"]]
        low, high = (value / most * width for value in row["events_s_range"])
        plot.text(left - 8, y + 13, name_of(row), "end", 12, "bold" if row["what"] == "viewfold" else "normal")
        plot.box(left, y, row["events_s"] / most * width, 18, colour)
        plot.line(left + low, y + 9, left + high, y + 9, "#222", 1.5)
        plot.text(left + high + 6, y + 13, thousands(row["events_s"]))
        y += 24
    return y


def plot_latencies(plot, rows, left, top, width, height):
    """p50, p99 and p99.9 over the load, the times on a logarithmic scale."""
    least = math.floor(math.log10(max(0.1, min(row["p50_ms"] for row in rows))))
    most = math.ceil(math.log10(max(row["p999_ms"] for row in rows) + 0.1))
    at = lambda ms: top + height - (math.log10(max(ms, 0.1)) - least) / (most - least) * height
    for power in range(least, most + 1):
        plot.line(left, at(10**power), left + width, at(10**power), "#ddd")
        plot.text(left - 6, at(10**power) + 4, f"{10.0**power:g} ms", "end", 11)
    shares = sorted({row["share"] for row in rows})
    x_of = {share: left + width * (n + 0.5) / len(shares) for n, share in enumerate(shares)}
    for share, x in x_of.items():
        plot.text(x, top + height + 16, f"{share:.0%} of peak", "middle", 11)
    for store, workers in sorted({(row["store"], row["workers"]) for row in rows}, reverse=True):
        line = sorted((row for row in rows if (row["store"], row["workers"]) == (store, workers)), key=lambda row: row["share"])
        for key, dashes in (("p50_ms", ""), ("p99_ms", "6 3"), ("p999_ms", "2 3")):
            places = [(x_of[row["share"]] + (workers - 1.5) * 8, at(row[key])) for row in line]
            for (x1, y1), (x2, y2) in zip(places, places[1:]):
                plot.line(x1, y1, x2, y2, COLOURS[store], 1 + workers / 2, dashes)
            for x, y in places:
                plot.dot(x, y, COLOURS[store])
    plot.text(left, top + height + 36, "red: Redis, green: MongoDB; thin: one worker, thick: two; solid p50, dashed p99, dotted p99.9", size=11)


def plot_workload(name, rows, waits, path):
    height = 60 + 24 * len(rows) + (300 if waits else 20)
    plot = Plot(860, height)
    plot.text(20, 26, TITLES[name], size=15, weight="bold")
    plot.text(20, 44, "events a second: bars are medians, lines the range of the runs", size=11)
    y = plot_bars(plot, rows, 250, 56, 520)
    if waits:
        plot.text(20, y + 22, "from an event to its being visible, over the load (open loop)", size=11)
        plot_latencies(plot, waits, 100, y + 34, 720, 190)
    plot.save(path)


# --- the page ---


def measured(row):
    """Where this part comes from another day or commit than the page."""
    return f" Measured {row['date']} at {row['commit']}." if "commit" in row else ""


def page(results, docs):
    machine = results["machine"]
    lines = [
        f"Measured {machine['date']} at {machine['commit']} on {machine['cores']} cores of {machine['cpu']}, "
        f"{machine['memory_mib'] / 1024:.0f} GiB; Kafka, the store and viewfold share them. Redis {machine['redis']}, MongoDB {machine['mongodb']}. "
        f"Made by {', then '.join(f'`{command}`' for command in results['commands'])} in {results['minutes']:.0f} minutes.",
        "",
    ]
    loads = [row["load_range"] for row in results["rows"] if "load_range" in row]
    if loads:
        lines += [f"The load average was {min(low for low, _ in loads):.0f} to {max(high for _, high in loads):.0f} in the runs of (d) and (e).", ""]
    for name, title in TITLES.items():
        rows = [row for row in results["rows"] if row["workload"] == name]
        waits = [row for row in results["latency"] if row["workload"] == name]
        if not rows:
            continue
        plot_workload(name, rows, waits, os.path.join(docs, f"performance-{name}.svg"))
        runs = sorted({row["runs"] for row in rows})
        lines += [f"### {title}", "", f"{thousands(rows[0]['events'])} events, {'–'.join(map(str, runs[:1] + runs[1:][-1:]))} runs of each, in turn.{measured(rows[0])}", ""]
        lines += [*(throughput if any(row["what"] == "store" for row in rows) else evenness)(rows), ""]
        if waits:
            lines += [*latencies(waits), ""]
        lines += [f"![{title}](performance-{name}.svg)", ""]
    if results["memory"]:
        lines += ["### Memory with a backlog", "", *memories(results["memory"]), ""]
    return "\n".join(lines)


def merge(parts):
    """One set of results from several files."""
    whole = {**parts[-1], "commands": [], "minutes": 0.0}
    kinds = {"rows": ("workload", "what", "store", "workers"), "latency": ("workload", "store", "workers", "share"), "memory": ("store", "workers")}
    for part in parts:
        whole["commands"] += part["commands"]
        whole["minutes"] += part["minutes"]
        if part["machine"]["commit"] != whole["machine"]["commit"]:
            print(f"note: parts of different commits, {part['machine']['commit']} and {whole['machine']['commit']}", file=sys.stderr)
    for table, key in kinds.items():
        rows = {}
        for part in parts:
            other = part["machine"]["commit"] != whole["machine"]["commit"]
            since = {"date": part["machine"]["date"], "commit": part["machine"]["commit"]} if other else {}
            rows |= {tuple(row[name] for name in key): {**row, **since} for row in part[table]}
        whole[table] = list(rows.values())
    return whole


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", metavar="FILE")
    parser.add_argument("--docs", default=os.path.join(ROOT, "docs"))
    chosen = parser.parse_args()
    parts = []
    for name in chosen.results:
        with open(name, encoding="utf-8") as file:
            parts.append(json.load(file))
    results = merge(parts)
    path = os.path.join(chosen.docs, "performance.md")
    with open(path, encoding="utf-8") as file:
        before, _, rest = file.read().partition(BEGIN)
    _, _, after = rest.partition(END)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n{page(results, chosen.docs)}{END}{after}")


if __name__ == "__main__":
    main()
