# The floors that end to end is compared with: the transport without work (null_server, echo_load).
add_executable(null_server floor/null_server.c)
target_include_directories(null_server PRIVATE ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(null_server PRIVATE PkgConfig::URING PkgConfig::JANSSON)
add_executable(echo_load floor/echo_load.c)
target_include_directories(echo_load PRIVATE ${PROJECT_SOURCE_DIR}/include)
# What a synced write takes a thread that has other work.
add_executable(yield_bench floor/yield_bench.c)
target_include_directories(yield_bench PRIVATE ${PROJECT_SOURCE_DIR}/engine)
target_link_libraries(yield_bench PRIVATE otpring_os otpring_kernel Threads::Threads)
