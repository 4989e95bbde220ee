"""One self-contained HTML page from the results: no network, legible on paper."""
import html

import plots
from figures import NEWS, change, number

FRAMES_FOR_P999 = 10000  # with fewer, p99.9 is the longest few

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 900px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.7em; margin-bottom: .2em } h2 { font-size: 1.25em; margin: 2em 0 .4em; border-bottom: 1px solid #ccc }
table { border-collapse: collapse; margin: .8em 0; font-size: .9em; width: 100% }
td, th { text-align: right; padding: .18em .6em; border-bottom: 1px solid #e4e4e4 } th { background: #f4f4f4; vertical-align: bottom }
td { white-space: nowrap } td:first-child, td:last-child { white-space: normal } td:first-child, th:first-child, .left { text-align: left } figure { margin: 1em 0 }
figcaption, .note { color: #555; font-size: .88em } svg { width: 100%; height: auto } .flame { border: 1px solid #ddd }
.key { display: grid; grid-template-columns: 1fr auto; gap: .1em 1em; background: #f6f8fa; padding: .8em 1em; border-radius: 6px }
.key b { text-align: right; font-variant-numeric: tabular-nums } .slower, .worse { color: #b00020; font-weight: 600 } .faster, .better { color: #1a7f37; font-weight: 600 }
details { margin: 1em 0 } @media print { body { font-size: 11px; margin: 0; max-width: none } h2, figure, table { break-inside: avoid } details > * { display: block } }
"""


def esc(text):
    return html.escape(str(text))


def table(head, rows, classes=""):
    cells = "".join(f"<th>{esc(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<table class="{classes}"><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>'


def figure(svg, caption):
    picture = svg or '<p class="note">(no plot: gnuplot is not installed, or failed)</p>'
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


class Page:
    def __init__(self, results):
        self.results = results
        self.figures = results["figures"]
        self.parts = results["parts"]
        self.out = []

    def median(self, key):
        entry = self.figures.get(key)
        return entry["median"] if entry else None

    def add(self, text):
        self.out.append(text)

    def figures_of(self, part):
        return [entry for entry in self.figures.values() if entry["part"] == part]


def render(results):
    page = Page(results)
    for section in (head, summary, against, end_to_end, latency, slow, floors, peers, kernels, engine, journal, profile, everything):
        section(page)
    return (f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>otpring, measured</title>'
            f"<style>{STYLE}</style></head><body>{''.join(page.out)}</body></html>\n")


def head(page):
    machine, options = page.results["machine"], page.results["options"]
    page.add("<h1>otpring, measured</h1>")
    where = "virtual machine" if machine["virtual"] else "machine"
    page.add(f'<p class="note">{esc(machine["date"])} · revision {esc(machine["revision"])} · {esc(machine["processors"])} processors of a {where} '
             f'({esc(machine["processor"])}; {esc(machine["flags"])}), {esc(machine["memory_gib"])} GiB · {esc(machine["distribution"])}, {esc(machine["system"])} · '
             f'scratch on {esc(machine["file_system"])} · {"programs as they were given, the revision is of the suite" if options["build"] == "given" else "programs of that revision"} · load average before {machine["load_before"]:.2f}</p>')
    kind = "a quick run: short repetitions, take it as a trial" if options["quick"] else "a full run"
    page.add(f"<p>This is {kind}, {options['repetitions']} repetitions of {options['seconds']:g} s where daemon, Redis and Node are loaded, of a quarter to a half of "
             "that for echoes and libraries, of a tenth of a second for the kernel's floor, five of a fifth for the journal's; figures are medians, ranges are the least and the greatest. Daemon, load generator and peers share this one machine. Ratios within this page mean something; a single figure depends "
             "on the machine and on what else it did.</p>")
    for note in page.results["notes"]:
        page.add(f'<p class="note{" worse" if note["failed"] else ""}">{"Failed" if note["failed"] else "Not measured"} ({esc(note["part"])}): {esc(note["text"])}.</p>')


def summary(page):
    rows = page.results["summary"]
    if rows:
        page.add('<div class="key">' + "".join(f"<span>{esc(name)}</span><b>{esc(value)}</b>" for name, value in rows) + "</div>")


def against(page):
    rows = page.results.get("against")
    if rows is None:
        return
    page.add(f"<h2>Against {esc(page.results['against_what'])}</h2>")
    changed = [row for row in rows if row["word"] in NEWS]
    few, others = (sum(row["word"] == word for row in rows) for word in ("too few repetitions", "other options"))
    differs, gone = page.results["against_differs"], page.results["against_gone"]
    if differs["machine"]:
        page.add(f'<p class="worse">The earlier run was on another machine ({esc(", ".join(differs["machine"]))}): the ratios say as much of it as of otpring.</p>')
    if differs["options"]:
        page.add(f'<p class="worse">Other options than before ({esc(", ".join(differs["options"]))}): {others} figures that depend on them are not compared.</p>')
    page.add(f"<p>{len(rows)} figures are in both; {len(changed)} differ: the 95 % bootstrap interval of the ratio of medians leaves out 1. "
             f"{few} have too few repetitions to tell. Of so many intervals one in twenty leaves out 1 by chance alone, and repetitions of one run say nothing of how "
             "the machine differed between two: to know that a change in the program did it, measure old and new in turn.</p>")
    if changed:
        page.add(table(("figure", "ratio (95 % interval)", ""), [(esc(row["key"]), esc(change(row)), f'<span class="{row["word"]}">{row["word"]}</span>') for row in changed]))
    if gone:
        page.add(f'<p class="note">No longer there: {esc("; ".join(gone))}.</p>')


def end_to_end(page):
    part = page.parts.get("end")
    if not part or not part.get("grid"):
        return
    page.add("<h2>End to end: throughput by batch and connections</h2>")
    page.add(figure(plots.throughput(part["grid"]), f"Closed loop over verify.sock, {'one verify worker, ' if part['own'] else ''}kernel {esc(part['kernel'])}, {part['accounts']:,} HOTP accounts (reach: {esc(part['reach'])}), "
                    "95 % right, 3 % near, 1 % wrong, 1 % replayed codes; every verdict durable before it is answered and compared with the expected one."))
    rows = []
    for row in part["grid"]:
        cpu = f"{row['daemon_cpu_ns']:.0f}" if row["daemon_cpu_ns"] else "-"
        rows.append((row["batch"], row["connections"], row["in_flight"], number(row["rate"]), us(row["latency_us"]["p50"]), us(row["latency_us"]["p99"]),
                     us(row["open_latency_us"]["p50"]), us(row["open_latency_us"]["p99"]), us(row["open_latency_us"]["p999"]) if (row["open_frames"] or 0) >= FRAMES_FOR_P999 else "-", cpu, f"{row['load_cpu_ns']:.0f}"))
    page.add(table(("batch", "connections", "frames in flight each", "verifications/s", "closed p50", "closed p99", "half rate p50", "p99", "p99.9",
                    "daemon CPU ns", "load CPU ns"), rows))
    page.add('<p class="note">Latencies in us unless marked ms. In a closed loop everything in flight waits in line, and latency is the line\'s. "Half rate" is an open loop at half '
             "of the closed rate, measured from the time when a batch was due, whether or not it could be sent then; each quantity is the median of the repetitions, p99.9 is left out below "
             f"{FRAMES_FOR_P999:,} frames. CPU is processor time a verification, user and system.</p>")


def slow(page):
    rows = (page.parts.get("slow") or {}).get("rows")
    if not rows:
        return
    keys = [key for key in rows[0] if "x" in key]
    page.add("<h2>With a slower sync</h2>")
    page.add(table(("ms added to each sync", *(f"batch {key.split('x')[0]}, {key.split('x')[1]} connections" for key in keys), "one query, p50 us"),
                   [(row["added_ms"], *(number(row[key]) for key in keys), us(row["p50_us"])) for row in rows]))
    page.add('<p class="note">Verifications a second. The disk is ext4 on a loop device over a file system in memory whose sync is delayed: compare the rows with each other, not '
             "with the disk above.</p>")


def us(value):
    return f"{value / 1000:,.1f} ms" if value >= 10000 else f"{value:,.0f}"


def latency(page):
    part = page.parts.get("end")
    if not part or not part.get("curve"):
        return
    page.add("<h2>Latency against offered load</h2>")
    page.add(figure(plots.latency(part["curve"]), f"Open loop, {esc(part['curve_shape'])}; each point is one run, but that at half is the median of the repetitions. Latency counts from the time when a batch was "
                    f"due.{unsent_of(part)} The dashed line is the rate that the closed loop reached; past it the line grows without end, and latency says how long the run was."))


def unsent_of(part):
    late = [f"{point['part']:g}" for point in part["curve"] if point["reached"] < 0.97 * point["offered"]]
    return f" At {', '.join(late)} of that rate the daemon did not keep up: frames that were due had not been sent when the run ended." if late else ""


def floors(page):
    part = page.results.get("floor_bars")
    if not part:
        return
    page.add("<h2>The floors, beside the whole</h2>")
    rows = [(row["name"], row["ns"], f"{row['ns']:.1f} ns", row["colour"]) for row in part["rows"]]
    page.add(figure(plots.bars("floors", rows, "ns a verification"), esc(part["caption"])))


def peers(page):
    entries = [entry for entry in page.figures_of("peers") if entry["median"]]
    if not entries:
        return
    page.add("<h2>Peers doing the job</h2>")
    own = max((entry["median"] for entry in entries if entry["name"].startswith("otpring, durable")), default=None)
    rows = []
    for entry in sorted(entries, key=lambda entry: -entry["median"]):
        ratio = f"  (1/{own / entry['median']:,.0f})" if own and entry["median"] < own / 1.5 and not entry["name"].startswith("otpring") else ""
        rows.append((entry["name"].replace(" connections", " conn.").replace("verifications", "").replace(", in a loop on one core, nothing stored", " (loop, one core)")
                     .replace("Redis: HMAC in the client, then SET NX EX, synced;", "Redis + HMAC, synced,"), entry["median"], number(entry["median"]) + ratio,
                     0 if entry["name"].startswith("otpring, d") else 2 if "loop" in entry["name"] else 1))
    page.add(figure(plots.bars("peers", rows, "verifications a second (logarithmic)", log=True),
                    "The same tokens on this machine in this run. Blue: otpring, durable, with replay protection, over its socket. Green: libraries in a loop on one core, by "
                    "processor time, storing nothing. Red: others as they are used. In brackets: that part of otpring's best durable rate here. Only Redis keeps a durable "
                    "record of what was used; FreeRADIUS and Node forget or never knew; pam_oath rewrites its file of users."))
    notes = [(esc(entry["name"]), number(entry["median"]), f"{number(entry['low'])} to {number(entry['high'])}", len(entry["values"]), f'<span class="note">{esc(entry["note"])}</span>')
             for entry in entries]
    page.add(table(("peer", "verifications/s", "range", "repetitions", ""), notes))


def kernels(page):
    part = page.parts.get("micro")
    if not part:
        return
    page.add("<h2>Kernels</h2>")
    rows = [(esc(row["who"]), row["algorithm"], f"{row['ns']:.1f}", *(f"{row[peer]:.1f}" if row[peer] else "-" for peer in ("portable", "openssl", "liboath"))) for row in part["kernels"]
            if row["ns"]]
    page.add(table(("kernel", "hash", "ns a step", "x portable", "x OpenSSL", "x liboath"), rows))
    page.add('<p class="note">One candidate step (HMAC over a counter, truncated) by processor time, data in cache. Kernels begin from cached midstates; OpenSSL and liboath from the seed, as '
             "their interfaces ask: the ratio holds both gains.</p>")
    rest = [entry for entry in page.figures_of("micro") if "/" not in entry["name"]]
    page.add(table(("small parts", "ns an item", "cycles", "range"), [(esc(entry["name"]), number(entry["median"]), f"{entry['cycles']:.0f}" if entry.get("cycles") else "-",
                                                                    f"{number(entry['low'])} to {number(entry['high'])}") for entry in rest]))
    page.add('<p class="note">Cycles by calibration in the same run (a chain of additions, one a cycle), since this machine may have no counters.</p>')


def engine(page):
    part = page.parts.get("engine")
    if not part or not part.get("curve"):
        return
    page.add("<h2>Cost against table size</h2>")
    page.add(figure(plots.table_size(part["curve"]), "The core alone: frames in memory, simulated disk (its copies not counted), batches of 1024 right codes (500 for the smallest table), "
                    "tokens in random order. No load generator and no socket."))
    stages = list(part["curve"][0]["stages"])
    page.add(table(("tokens", *stages), [(f"{point['tokens']:,}", *(f"{point['stages'][stage]:.0f}" for stage in stages)) for point in part["curve"]]))
    page.add('<p class="note">ns a verification by stage, medians; "all" holds the simulated disk, which the plot leaves out.</p>')
    mixes = [entry for entry in page.figures_of("engine") if entry["name"].startswith(("mix", "frames"))]
    page.add(table(("mix of codes, and codes of a frame", "ns a verification", "range"), [(esc(entry["name"].removeprefix("mix ")), number(entry["median"]), f"{number(entry['low'])} to {number(entry['high'])}") for entry in mixes]))
    memory = [entry for entry in page.figures_of("engine") if entry["name"].startswith(("memory", "allocations"))]
    page.add(table(("memory and allocations", "", "unit"), [(esc(entry["name"]), number(entry["median"]), esc(entry["unit"])) for entry in memory]))


def journal(page):
    rows = [entry for entry in page.figures_of("floor") if entry["name"].startswith("journal")] + [entry for entry in page.figures_of("segments") if "segments of" in entry["name"]]
    if not rows:
        return
    page.add("<h2>The journal alone; fresh and recycled segments</h2>")
    page.add(table(("", "a second", "range", ""), [(esc(entry["name"]), number(entry["median"]), f"{number(entry['low'])} to {number(entry['high'])}", esc(entry["note"])) for entry in rows]))
    page.add('<p class="note">Durable 64-byte records (without seals), then verifications end to end with seals on.</p>')


def profile(page):
    part = page.parts.get("profile")
    if not part or not part.get("top"):
        return
    page.add("<h2>Where the daemon's time goes</h2>")
    page.add(table(("part", "%"), [(esc(name), f"{percent:.1f}") for name, percent in part["rooms"].items()]))
    outside = part["outside"]
    page.add("<p>Outside kernel, table, journal and socket, above 5 %: " + (", ".join(f"<b>{esc(entry['function'])}</b> ({entry['percent']:.1f} %, {esc(entry['room'])})" for entry in outside)
                                                                          or "nothing") + ".</p>")
    page.add(table(("function", "%", "part"), [(esc(entry["function"]), f"{entry['percent']:.1f}", f'<span class="left">{esc(entry["room"])}</span>') for entry in part["top"] if entry["percent"] >= 0.5]))
    page.add(figure(part["flame"], f"Flame graph of otpringd under batches of 1024 from 16 connections ({part['samples']:,} samples of processor time). Width is time; what stands on a box was called "
                    "by it; cool colours are the operating system. Point at a box for its name. Libraries without symbols show their name in brackets, and calls through them may lose their callers."))


def everything(page):
    rows = [(esc(f"{entry['part']}: {entry['name']}"), number(entry["median"]), f"{number(entry['low'])} to {number(entry['high'])}", f"{100 * entry['spread']:.1f} %" if entry["spread"] is not None else "-",
             len(entry["values"]), esc(entry["unit"])) for entry in page.figures.values()]
    page.add("<h2>Every figure</h2><p class='note'>Spread is half the distance between the quartiles, of the median.</p>")
    page.add(table(("figure", "median", "range", "spread", "n", "unit"), rows))
