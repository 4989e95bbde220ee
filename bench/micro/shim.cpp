#include "shim.h"

#include <benchmark/benchmark.h>

extern "C" void bench_register(const char *name, void (*pass)(void *argument), void *argument, size_t items)
{
    benchmark::RegisterBenchmark(name, [=](benchmark::State &state) {
        for (auto _ : state) {
            pass(argument);
            benchmark::ClobberMemory();
        }
        state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * items));
        state.counters["s_per_step"] = benchmark::Counter(static_cast<double>(state.iterations() * items),
                                                          benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    });
}

extern "C" void bench_context(const char *key, const char *value)
{
    benchmark::AddCustomContext(key, value);
}

extern "C" int bench_run(int argc, char **argv)
{
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
