# The verify path alone: no sockets, the simulated os beneath the journal.
add_executable(core_bench ${CMAKE_CURRENT_SOURCE_DIR}/core_bench.c ${CMAKE_CURRENT_SOURCE_DIR}/alloc_count.c)
target_include_directories(core_bench PRIVATE ${PROJECT_SOURCE_DIR}/engine ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(core_bench PRIVATE otpring_core)

# Questions to devices, through the daemon: bench/questions.py.
add_executable(question_load ${CMAKE_CURRENT_SOURCE_DIR}/question_load.c)
target_include_directories(question_load PRIVATE ${PROJECT_SOURCE_DIR}/engine ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(question_load PRIVATE otpring_client otpring_challenge otpring_vault otpring_otp otpring_os Threads::Threads)
