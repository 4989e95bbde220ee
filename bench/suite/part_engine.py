"""bench/engine: the core alone in simulated time, by table size and by mix."""
import json
import subprocess

SIZES = (1000, 10000, 100000, 1000000, 10000000, 50000000)
MIXES = {"right": "1:0:0:0", "95 right, 3 near, 1 wrong, 1 replayed": "95:3:1:1", "near": "0:1:0:0", "a third wrong": "1:0:1:0", "half replayed": "1:0:0:1"}
FRAMES = (1, 16)  # codes of a frame, in turns of as many as the other figures have
BYTES_A_TOKEN = 180  # the table's and the bench's own, to see whether a size fits


def run(options, figures, data):
    free = available_bytes()
    curve = data["curve"] = []
    for size in sorted({*(size for size in SIZES if size < options.tokens_max), options.tokens_max}):
        if size * BYTES_A_TOKEN > free * 0.8:
            figures.note("engine", f"{size:,} tokens do not fit into the memory that is free")
            continue
        result = core(options, size, "1:0:0:0")
        if result is None:
            figures.fail("engine", f"core_bench did not end well at {size:,} tokens")
            continue
        name = f"a verification, {size:,} tokens"
        figure = figures.add("engine", name, result["ns"], "ns", "lower")
        figures.add("engine", f"memory of the table, {size:,} tokens", result["bytes_a_token"], "bytes a token", "lower")
        figures.add("engine", f"allocations on the path, {size:,} tokens", result["allocations"], "calls", "lower")
        stages = {stage: sorted(values)[len(values) // 2] for stage, values in result["stages"].items()}
        curve.append({"tokens": size, "ns": figure["median"], "low": figure["low"], "high": figure["high"], "stages": stages})
    middle = min(1000000, options.tokens_max)
    for name, mix in MIXES.items():
        result = core(options, middle, mix)
        if result:
            figures.add("engine", f"mix {name}, {middle:,} tokens", result["ns"], "ns", "lower")
        else:
            figures.fail("engine", f"core_bench did not end well with the mix {name}")
    for frame in FRAMES:
        result = core(options, middle, "1:0:0:0", frame)
        if result:
            figures.add("engine", f"frames of {frame}, {middle:,} tokens", result["ns"], "ns", "lower")
        else:
            figures.fail("engine", f"core_bench did not end well with frames of {frame}")


def available_bytes():
    """What can be had without swapping: caches of files give way."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:"))


def core(options, tokens, mix, frame=None):
    batch = min(1024, tokens // 2)
    if frame:
        batch = max(batch - batch % frame, frame)
    # Enough that a round is no blink, few enough that the largest table is not walked whole for each.
    least = int(200000 * min(1.0, options.seconds))
    items = min(max(tokens, least), 500000 if options.quick else 2000000)
    done = subprocess.run([options.build / "bench/core_bench", "--json", "--mix", mix, *(("--frame", str(frame)) if frame else ()), "--items", str(items), str(tokens), str(batch),
                           str(options.repetitions)], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None
