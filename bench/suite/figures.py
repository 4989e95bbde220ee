"""Figures: every measured number with all its repetitions, and how two sets of them compare."""
import random
import statistics


class Figures:
    """In the order of measuring. A figure's key is part/name; the same key again adds repetitions."""

    def __init__(self):
        self.by_key = {}
        self.notes = []  # what could not be measured, and why

    def add(self, part, name, values, unit, better, note=""):
        """better: "higher", "lower", or "" where neither is."""
        values = [float(value) for value in (values if isinstance(values, (list, tuple)) else [values])]
        key = f"{part}/{name}"
        figure = self.by_key.setdefault(key, {"part": part, "name": name, "unit": unit, "better": better, "note": note, "values": []})
        figure["values"].extend(values)
        finish(figure)
        print(f"  {name}: {show(figure)}", flush=True)
        return figure

    def median(self, key):
        figure = self.by_key.get(key)
        return figure["median"] if figure else None

    def note(self, part, text):
        self.notes.append({"part": part, "text": text})
        print(f"  {part}: {text}", flush=True)


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


def compare(before, after):
    """Rows for the figures in both: a word only where the interval leaves out "no change"; else "no difference shown"."""
    rows = []
    for key, new in after.items():
        old = before.get(key)
        if not old or not new["better"] or not old["median"]:
            continue
        if min(len(old["values"]), len(new["values"])) < 3:
            rows.append({"key": key, "ratio": new["median"] / old["median"], "low": None, "high": None, "word": "too few repetitions"})
            continue
        low, high = interval(old["values"], new["values"])
        word = "no difference shown"
        if low > 1 or high < 1:
            up = low > 1
            speed = new["unit"].endswith("/s") or "ns" in new["unit"] or new["unit"] in ("us", "s")
            good = up == (new["better"] == "higher")
            word = ("faster" if good else "slower") if speed else ("better" if good else "worse")
        rows.append({"key": key, "ratio": new["median"] / old["median"], "low": low, "high": high, "word": word})
    return rows
