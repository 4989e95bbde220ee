"""The figures that are asked for first, as ratios within the run."""
from figures import number

SOCKET = "floor/socket echo, batch 1024, 16 connections, 4 in flight"
SERVER = "floor/socket echo, server's side, batch 1024, 16 connections, 4 in flight"
KERNEL = "floor/kernel: one candidate step, in cache"
KERNEL_BESIDE = "floor/kernel: one candidate step, a second processor doing the same"
TOGETHER = "floor/kernel: what two processors do together, against one"
SINGLES = "end/closed loop, batch 1, 256 connections, 16 in flight"
SOCKET_SINGLES = "floor/socket echo, batch 1, 256 connections, 16 in flight"
OWN_SINGLES = "peers/otpring, durable, batch 1, 256 connections, 16 in flight"
ONE_BY_ONE = ("FreeRADIUS rlm_totp", "Node with otplib", "pam_oath at its best")  # peers that are sent one code at a time
LOAD = "floor/otpring-load's own cost, batch 1024, 16 connections, 4 in flight"


def journal_ns(figures):
    """The journal alone at blocks of 1024 records, at its best depth."""
    rates = [figure["median"] for key, figure in figures.by_key.items() if key.startswith("floor/journal, 1024 records") and "depth" in key]
    return 1e9 / max(rates) if rates else None


def singles_floor_ns(figures):
    """The parts of a frame of one query: its record is two slots of the log."""
    kernel, socket, journal = figures.median(KERNEL), figures.median(SOCKET_SINGLES), journal_ns(figures)
    return kernel + 1e9 / socket + 2 * journal if kernel and socket and journal else None


def end_rate(figures):
    rates = [figure["median"] for key, figure in figures.by_key.items() if key.startswith("end/sustained")]
    return rates[0] if rates else None


def floor_bars(figures):
    kernel, socket, server, journal = figures.median(KERNEL), figures.median(SOCKET), figures.median(SERVER), journal_ns(figures)
    rate = end_rate(figures)
    if not kernel or not socket or not journal:
        return None
    floor = kernel + 1e9 / socket + journal
    beside = figures.median(KERNEL_BESIDE) or kernel
    rows = [{"name": "kernel: one step", "ns": kernel, "colour": 2}, {"name": "the same, the other processor at work too", "ns": beside, "colour": 3}, {"name": "socket: echo, both sides at work", "ns": 1e9 / socket, "colour": 2},
            {"name": "journal: blocks of 1024, best depth", "ns": journal, "colour": 2}, {"name": "sum: the floor", "ns": floor, "colour": 4}]
    if rate:
        rows.append({"name": "end to end, sustained", "ns": 1e9 / rate, "colour": 0})
    for name, key in (("of it the daemon's processor time", "end/daemon's processor time, sustained"), ("of it the load's processor time", "end/load's own processor time, sustained")):
        if figures.median(key):
            rows.append({"name": name, "ns": figures.median(key), "colour": 5})
    if figures.median(LOAD):
        rows.append({"name": "load generator alone, processor time", "ns": figures.median(LOAD), "colour": 3})
    caption = ("Time a verification, batches of 1024 from 16 connections. Green: each part alone, in this run; the sum is as if they were done one after the other. Socket, journal and the whole are time that passed, daemon's and load's side both at work. Blue: the whole. "
               f"Of the socket's part the server's side is {server:.1f} ns of processor time." if server else "")
    return {"rows": rows, "floor_ns": floor, "beside_ns": floor - kernel + beside, "caption": caption}


def best(figures, start):
    medians = [figure["median"] for key, figure in figures.by_key.items() if key.startswith(start) and figure["median"]]
    return max(medians) if medians else None


def ratio(above, below):
    return f"{above / below:,.1f} x" if above and below else None


def rows(figures, results):
    found = []

    def put(name, value):
        if value:
            found.append((name, value))

    rate, own = end_rate(figures), best(figures, "peers/otpring, durable")
    put("end to end, sustained, batch 1024", f"{number(rate)}/s" if rate else None)
    if rate and results.get("floor_bars"):
        bars = results["floor_bars"]
        put("of the rate that the sum of the floors allows", f"{100 * rate * bars['floor_ns'] / 1e9:.0f} %; with the kernel's measured beside another {100 * rate * bars['beside_ns'] / 1e9:.0f} %")
    together = figures.median(TOGETHER)
    put("two processors of this machine against one, hashing", f"{together:.2f} x" if together else None)
    singles, floor = figures.median(SINGLES), singles_floor_ns(figures)
    put("end to end, single queries, 256 connections x 16", f"{number(singles)}/s" if singles else None)
    if singles and floor:
        put("of the rate that the sum of their floors allows", f"{100 * singles * floor / 1e9:.0f} %")
    for who, start in (("the Redis way, at its best", "peers/Redis"), ("FreeRADIUS rlm_totp", "peers/FreeRADIUS"), ("liboath in a loop on one core", "peers/liboath"), ("Node with otplib", "peers/Node"),
                       ("pam_oath at its best", "peers/pam_oath")):
        value, alone = ratio(own, best(figures, start)), ratio(figures.median(OWN_SINGLES), best(figures, start))
        put(f"durable, against {who}", f"{value} in batches, {alone} one by one" if value and alone and who in ONE_BY_ONE else value)
    kernel = figures.median("peers/otpring kernel, in a loop on one core, nothing stored")
    put("kernel against liboath's oath_totp_validate", ratio(kernel, best(figures, "peers/liboath")))
    put("kernel against intel-ipsec-mb", ratio(kernel, best(figures, "peers/intel-ipsec-mb")))
    sizes = (results["parts"].get("engine") or {}).get("curve") or []
    if sizes:
        put(f"core alone, {sizes[-1]['tokens']:,} tokens", f"{1e3 / sizes[-1]['ns']:.2f} million/s on one core")
    if len(sizes) > 1:
        put(f"cost a verification, {sizes[-1]['tokens']:,} tokens against {sizes[0]['tokens']:,}", f"{sizes[-1]['ns'] / sizes[0]['ns']:.2f} x")
    p50 = figures.median("end/one client, one query in flight, p50")
    round_trip, sync = figures.median("floor/socket round trip p50, batch 1, 1 connections, 1 in flight"), figures.median("end/one block written with data sync, p50, beside the next")
    if p50 and round_trip and sync:
        put("one query, p50, against one sync plus one socket round trip", f"{p50:.0f} us = {p50 / (sync + round_trip):.2f} x")
    p99 = figures.median("end/p99 at half of the saturation rate, batch 64, 16 connections")
    put("p99 at half of the saturation rate", f"{p99:,.0f} us" if p99 else None)
    load = figures.median(LOAD)
    put("what the load generator alone could do (one core)", f"{number(1e9 / load)}/s" if load else None)
    return found
