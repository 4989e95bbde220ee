"""Figures: every measured number with all its repetitions, and how two sets of them compare."""
import random
import statistics

# With fewer repetitions on a side, an interval leaves out 1 by chance more often than one in twenty: three against three lie apart one time in ten.
COMPARED_LEAST = 4
NEWS = ("faster", "slower", "better", "worse")


class Figures:
    """In the order of measuring. A figure's key is part/name; the same key again adds repetitions."""

    def __init__(self):
        self.by_key = {}
        self.notes = []  # what could not be measured, and why

    def add(self, part, name, values, unit, better, note=""):
        """better: "higher", "lower", or "" where neither is."""
        values = [float(value) for value in (values if isinstance(values, (list, tuple)) else [values])]
        if not values:
            raise ValueError(f"{name}: nothing was measured")
        key = f"{part}/{name}"
        figure = self.by_key.setdefault(key, {"part": part, "name": name, "unit": unit, "better": better, "note": note, "values": []})
        figure["values"].extend(values)
        finish(figure)
        print(f"  {name}: {show(figure)}", flush=True)
        return figure

    def median(self, key):
        figure = self.by_key.get(key)
        return figure["median"] if figure else None

    def note(self, part, text, failed=False):
        self.notes.append({"part": part, "text": text, "failed": failed})
        print(f"  {part}: {text}", flush=True)

    def fail(self, part, text):
        """The run is no result: it ends with a status that says so."""
        self.note(part, text, failed=True)


def finish(figure):
    values = figure["values"]
    figure["median"] = statistics.median(values)
    figure["low"], figure["high"] = min(values), max(values)
    # Half the distance between the quartiles, of the median: one bad repetition does not count for much.
    if len(values) > 2 and figure["median"]:
        quarters = statistics.quantiles(values, n=4, method="inclusive")
        figure["spread"] = (quarters[2] - quarters[0]) / 2 / abs(figure["median"])
    else:
        figure["spread"] = None


def number(value):
    if value is None:
        return "-"
    if abs(value) >= 1e6:
        return f"{value / 1e6:,.2f} M"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}"


def show(figure):
    text = f"{number(figure['median'])} {figure['unit']}"
    if len(figure["values"]) > 1:
        text += f" ({number(figure['low'])} to {number(figure['high'])}, {len(figure['values'])} repetitions)"
    return text


def interval(before, after, rounds=2000, seed=1):
    """Bootstrap: 95 % of the ratios of medians (after / before) that resampling gives."""
    chance = random.Random(seed)
    ratios = []
    for _ in range(rounds):
        old = statistics.median(chance.choices(before, k=len(before)))
        new = statistics.median(chance.choices(after, k=len(after)))
        if old:
            ratios.append(new / old)
    ratios.sort()
    if not ratios:
        return None
    return ratios[int(len(ratios) * 0.025)], ratios[int(len(ratios) * 0.975) - 1]


def word_of(figure, up):
    speed = figure["unit"].endswith("/s") or "ns" in figure["unit"] or figure["unit"] in ("us", "s")
    good = up == (figure["better"] == "higher")
    return ("faster" if good else "slower") if speed else ("better" if good else "worse")


def compare(before, after, others=()):
    """Rows for the figures in both: a word only where the interval leaves out "no change"; else "no difference shown". Figures of the parts in `others`
    were measured with options that change their meaning, and get none."""
    rows = []
    for key, new in after.items():
        old = before.get(key)
        if not old or not new["better"] or (not old["median"] and not new["median"]):
            continue
        row = {"key": key, "old": old["median"], "new": new["median"], "ratio": new["median"] / old["median"] if old["median"] else None, "low": None, "high": None}
        rows.append(row)
        if new["part"] in others:
            row["word"] = "other options"
        elif not old["median"]:  # what was never there before: allocations
            row["word"] = word_of(new, True)
        elif min(len(old["values"]), len(new["values"])) < COMPARED_LEAST:
            row["word"] = "too few repetitions"
        else:
            row["low"], row["high"] = interval(old["values"], new["values"])
            row["word"] = word_of(new, row["low"] > 1) if row["low"] > 1 or row["high"] < 1 else "no difference shown"
    return rows


def change(row):
    """What the row says, as text."""
    if row["ratio"] is None:
        return f"{number(row['old'])} and now {number(row['new'])}"
    return f"{row['ratio']:.3f}" + (f" ({row['low']:.3f} to {row['high']:.3f})" if row["low"] is not None else "")
