# Micro benchmarks, written in C over a shim; the peers of the same run are OpenSSL and liboath.
find_package(benchmark REQUIRED)
add_library(bench_shim OBJECT micro/shim.cpp)
target_link_libraries(bench_shim PUBLIC benchmark::benchmark)
pkg_check_modules(OATH REQUIRED IMPORTED_TARGET liboath)
add_executable(kernel_bench micro/kernel_bench.c)
target_include_directories(kernel_bench PRIVATE ${PROJECT_SOURCE_DIR}/engine)
target_link_libraries(kernel_bench PRIVATE otpring_kernel bench_shim PkgConfig::OATH PkgConfig::CRYPTO)
# Durable records a second by block size and depth.
add_executable(journal_bench journal_bench.c)
target_include_directories(journal_bench PRIVATE ${PROJECT_SOURCE_DIR}/engine)
target_link_libraries(journal_bench PRIVATE otpring_journal Threads::Threads)
# Finding a name, single and in batches; sealing and MACs; writing and reading a large store.
add_executable(table_bench micro/table_bench.c)
target_include_directories(table_bench PRIVATE ${PROJECT_SOURCE_DIR}/engine)
target_link_libraries(table_bench PRIVATE otpring_table bench_shim)
add_executable(vault_bench micro/vault_bench.c)
target_include_directories(vault_bench PRIVATE ${PROJECT_SOURCE_DIR}/engine)
target_link_libraries(vault_bench PRIVATE otpring_vault bench_shim)
add_executable(store_bench store_bench.c)
target_include_directories(store_bench PRIVATE ${PROJECT_SOURCE_DIR}/engine)
target_link_libraries(store_bench PRIVATE otpring_store)
# What else is on the path: digits, wire, records, checksums, seals.
add_executable(path_bench micro/path_bench.c)
target_include_directories(path_bench PRIVATE ${PROJECT_SOURCE_DIR}/engine ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(path_bench PRIVATE otpring_server otpring_journal otpring_kernel otpring_vault bench_shim)
# The straight way stage by stage.
add_executable(stages_bench micro/stages_bench.c)
target_include_directories(stages_bench PRIVATE ${PROJECT_SOURCE_DIR}/engine)
target_link_libraries(stages_bench PRIVATE otpring_kernel bench_shim)
# OCRA responses, and challenges in memory.
add_executable(challenge_bench micro/challenge_bench.c)
target_include_directories(challenge_bench PRIVATE ${PROJECT_SOURCE_DIR}/engine)
target_link_libraries(challenge_bench PRIVATE otpring_challenge bench_shim)
# Challenges asked and answered a second, durably.
add_executable(challenge_store_bench challenge_store_bench.c)
target_include_directories(challenge_store_bench PRIVATE ${PROJECT_SOURCE_DIR}/engine ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(challenge_store_bench PRIVATE otpring_admin otpring_challenge)
