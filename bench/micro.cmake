# Micro benchmarks, written in C over a shim; the peers of the same run are OpenSSL and liboath.
find_package(benchmark REQUIRED)
pkg_check_modules(OATH REQUIRED IMPORTED_TARGET liboath)
add_executable(kernel_bench micro/kernel_bench.c micro/shim.cpp)
target_include_directories(kernel_bench PRIVATE ${PROJECT_SOURCE_DIR}/engine)
target_link_libraries(kernel_bench PRIVATE otpring_kernel benchmark::benchmark PkgConfig::OATH PkgConfig::CRYPTO)
# Durable records a second by block size and depth.
add_executable(journal_bench journal_bench.c)
target_include_directories(journal_bench PRIVATE ${PROJECT_SOURCE_DIR}/engine)
target_link_libraries(journal_bench PRIVATE otpring_journal Threads::Threads)
