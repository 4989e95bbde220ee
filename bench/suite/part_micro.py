"""bench/micro: kernels and the small parts of the path, by Google Benchmark, each in repetitions."""
import json
import os
import subprocess


def run(options, figures, data):
    cycle_ns = None
    results = {}
    programs = ["path_bench", "kernel_bench", "stages_bench", "vault_bench", "challenge_bench"]
    programs += [] if options.quick else ["table_bench"]
    for program in programs:
        path = options.build / "bench" / program
        if not path.exists():
            figures.note("micro", f"{program} is not built")
            continue
        try:
            results[program] = benchmark(options, path)
        except (subprocess.SubprocessError, ValueError) as error:
            figures.fail("micro", f"{program} did not end well: {error}")
    for name, values in results.get("path_bench", {}).items():
        if name.startswith("calibration"):
            cycle_ns = sorted(values)[len(values) // 2]
            figures.add("micro", "one cycle, by a chain of additions", values, "ns", "")
    for program, named in results.items():
        for name, values in named.items():
            if name.startswith("calibration"):
                continue
            figure = figures.add("micro", name, values, "ns an item", "lower")
            if cycle_ns:
                figure["cycles"] = figure["median"] / cycle_ns
    data.update(ratios(results.get("kernel_bench", {})))


def benchmark(options, path):
    """ns of processor time an item for each benchmark, by repetition."""
    environment = dict(os.environ, TABLE_BENCH_TOKENS_MAX="1000000" if options.quick else "10000000")
    done = subprocess.run([path, f"--benchmark_repetitions={options.repetitions}", "--benchmark_report_aggregates_only=false",
                           f"--benchmark_min_time={0.02 if options.quick else 0.2}", "--benchmark_format=json"],
                          capture_output=True, text=True, check=True, env=environment)
    # A program may print a table of its own behind the JSON.
    parsed, _ = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("{"):])
    named = {}
    for entry in parsed["benchmarks"]:
        if entry.get("run_type") == "aggregate" or not entry.get("items_per_second"):
            continue
        named.setdefault(entry.get("run_name", entry["name"]), []).append(1e9 / entry["items_per_second"])
    return named


def ratios(kernels):
    """How many times faster than the narrowest kernel, OpenSSL and liboath, by algorithm."""
    rows = []
    for name, values in kernels.items():
        who, _, algorithm = name.partition("/")
        own = median(values)
        row = {"who": who, "algorithm": algorithm, "ns": own}
        for peer in ("portable", "openssl", "liboath"):
            other = kernels.get(f"{peer}/{algorithm}")
            row[peer] = median(other) / own if other else None
        rows.append(row)
    return {"kernels": rows}


def median(values):
    return sorted(values)[len(values) // 2]
