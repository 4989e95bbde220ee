"""Plots as SVG text, drawn by gnuplot. Every axis has a name and a unit."""
import re
import shutil
import subprocess

COLOURS = ("#1b6ca8", "#d1495b", "#3a7d44", "#8f5aa8", "#c77d0a", "#4d4d4d")


def draw(name, script, width=860, height=430):
    """None without gnuplot, or where it fails. `name` keeps the ids of several plots on one page apart."""
    if not shutil.which("gnuplot"):
        return None
    head = [f'set terminal svg size {width},{height} dynamic font "sans-serif,14" name "{name}" background "#ffffff"',
            "set grid back lc rgb '#dddddd' lw 1", "set border 3 lc rgb '#555555'", "set tics nomirror", "set key top left samplen 2 spacing 1.2"]
    done = subprocess.run(["gnuplot"], input="\n".join(head + script), capture_output=True, text=True, check=False)
    if done.returncode or "<svg" not in done.stdout:  # a page with one plot less is worth more than none
        print(f"bench/run: no plot {name}: {done.stderr.strip()[-300:]}", flush=True)
        return None
    return re.sub(r"^.*?(?=<svg)", "", done.stdout, flags=re.S)


def block(name, rows):
    return [f"${name} << EOD", *(" ".join(str(cell) for cell in row) for row in rows), "EOD"]


def quoted(text):
    return '"' + str(text).replace('"', "'") + '"'


def throughput(grid):
    script, plots = [], []
    for i, connections in enumerate(sorted({row["connections"] for row in grid})):
        rows = [(row["batch"], row["rate"] / 1e6) for row in grid if row["connections"] == connections]
        script += block(f"c{i}", rows)
        word = "connection" if connections == 1 else "connections"
        plots.append(f"$c{i} using 1:2 with linespoints lw 2 pt 7 ps 0.7 lc rgb '{COLOURS[i % len(COLOURS)]}' title '{connections} {word}'")
    return draw("throughput", script + ["set logscale x 2", "set xtics (1, 4, 16, 64, 256, 1024, 4096)", "set xrange [0.8:5200]", "set yrange [0:*]",
                                        "set xlabel 'queries a frame (batch)'", "set ylabel 'verifications a second, millions'", "plot " + ", ".join(plots)])


def latency(curve):
    rows = [(point["offered"] / 1e6, *(max(point["latency_us"][part], 1) for part in ("p50", "p99", "p999"))) for point in curve]
    full = max((point["offered"] for point in curve if point["part"] == 1.0), default=0) / 1e6
    script = block("curve", rows)
    names = ((10, "10 us"), (100, "0.1 ms"), (1000, "1 ms"), (10000, "10 ms"), (100000, "0.1 s"), (1000000, "1 s"), (10000000, "10 s"))
    script += ["set logscale y", "set ytics (" + ", ".join(f'"{name}" {value}' for value, name in names) + ")", "set xrange [0:*]", "set xlabel 'offered load, million verifications a second'",
               "set ylabel 'latency, from the time when due'",
               f"set arrow from {full}, graph 0 to {full}, graph 1 nohead dt 2 lc rgb '#888888'",
               f"set label 'closed loop reached' at {full}, graph 0.04 right offset -1,0 tc rgb '#666666' font ',12'"]
    script.append("plot " + ", ".join(f"$curve using 1:{i + 2} with linespoints lw 2 pt 7 ps 0.7 lc rgb '{COLOURS[i]}' title '{name}'"
                                      for i, name in enumerate(("p50", "p99", "p99.9"))))
    return draw("latency", script)


def table_size(curve):
    rows = [(point["tokens"], point["ns"], point["low"], point["high"]) for point in curve]
    script = block("size", rows)
    script += ["set logscale x 10", "set format x '10^{%T}'", "set yrange [0:*]", f"set xrange [500:{2 * max(point['tokens'] for point in curve)}]", "set xlabel 'tokens in the table'",
               "set ylabel 'ns a verification, core alone, one thread'", "set key bottom right",
               f"plot $size using 1:2:3:4 with yerrorbars lw 2 pt 7 ps 0.7 lc rgb '{COLOURS[0]}' title 'median, least and most', "
               f"$size using 1:2 with lines lw 2 lc rgb '{COLOURS[0]}' notitle"]
    return draw("tablesize", script)


def bars(name, rows, unit, log=False, height=None):
    """rows: (label, value, text beside the bar, colour index), from the top."""
    count = len(rows)
    data = [(quoted(label), value, count - i, COLOURS[colour], quoted(text)) for i, (label, value, text, colour) in enumerate(rows)]
    least, most = min(row[1] for row in rows), max(row[1] for row in rows)
    start = 10 ** (len(str(int(max(1, least)))) - 2) if log else 0
    script = []
    for i, (_, value, place, colour, _) in enumerate(data):
        script.append(f"set object {i + 1} rectangle from {max(start, 1e-9) if log else 0},{place - 0.36} to {value},{place + 0.36} fc rgb '{colour}' fs solid 0.85 noborder")
    script += [f"set label {i + 1} {text} at {value},{place} left offset 0.6,0 font ',12' noenhanced" for i, (_, value, place, _, text) in enumerate(data)]
    tics = ", ".join(f"{label} {place}" for label, _, place, _, _ in data)
    script += [f"set ytics ({tics}) font ',12' noenhanced", f"set yrange [0.3:{count + 0.7}]", f"set xlabel '{unit}'", "unset key", "unset grid", "set grid x back lc rgb '#dddddd'"]
    script += ["set logscale x 10", f"set xrange [{start}:{most * 300}]", "set format x '10^{%T}'"] if log else [f"set xrange [0:{most * 1.45}]"]
    script.append("plot NaN notitle")
    return draw(name, script, height=height or 90 + 30 * count)
