# The simulator compiles the rooms that hold words or order for itself: the same sources, with switch.h before each.
set(sim_folder ${CMAKE_CURRENT_LIST_DIR})
file(GLOB sim_engine_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/engine/core/*.c ${PROJECT_SOURCE_DIR}/engine/journal/*.c
     ${PROJECT_SOURCE_DIR}/engine/table/*.c)
add_library(sim_engine STATIC ${sim_engine_sources})
target_compile_options(sim_engine PRIVATE -include ${sim_folder}/switch.h -O2)
target_include_directories(sim_engine PRIVATE ${PROJECT_SOURCE_DIR}/engine ${PROJECT_SOURCE_DIR}/include)
# clang-tidy reads each source once, as the engine is built; switch.h speaks of atomics in a way that only gcc takes.
set_target_properties(sim_engine PROPERTIES EXPORT_COMPILE_COMMANDS OFF)
target_link_libraries(sim_engine PRIVATE PkgConfig::XXHASH)

add_library(sim_store STATIC ${PROJECT_SOURCE_DIR}/engine/store/store_memory.c ${PROJECT_SOURCE_DIR}/engine/store/treap.c
            ${PROJECT_SOURCE_DIR}/engine/store/schema.c)
target_include_directories(sim_store PRIVATE ${PROJECT_SOURCE_DIR}/engine)

file(GLOB sim_own_sources CONFIGURE_DEPENDS ${sim_folder}/*.c)
list(FILTER sim_own_sources EXCLUDE REGEX "/(main|exhaust|run)\\.c$")
add_library(sim_own OBJECT ${sim_own_sources})
target_include_directories(sim_own PRIVATE ${PROJECT_SOURCE_DIR}/engine ${PROJECT_SOURCE_DIR}/include)

foreach(program sim exhaust)
  add_executable(${program} $<TARGET_OBJECTS:sim_own>)
  target_include_directories(${program} PRIVATE ${PROJECT_SOURCE_DIR}/engine ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(${program} PRIVATE sim_engine sim_store otpring_otp otpring_kernel otpring_vault otpring_os otpring_base
                        PkgConfig::XXHASH PkgConfig::CRYPTO Threads::Threads)
endforeach()
target_sources(sim PRIVATE ${sim_folder}/main.c ${sim_folder}/run.c)
target_sources(exhaust PRIVATE ${sim_folder}/exhaust.c)

add_test(NAME sim/promises COMMAND bash -c "exec $<TARGET_FILE:sim> --schedules \${OTPRING_SCHEDULES:-30000} --jobs $(nproc)")
add_test(NAME sim/repeats COMMAND sim --seeds 60 --twice)
add_test(NAME sim/exhaust COMMAND exhaust)
add_test(NAME sim/canary COMMAND ${sim_folder}/canary.py ${CMAKE_BINARY_DIR})
set_tests_properties(sim/promises sim/canary PROPERTIES RUN_SERIAL ON TIMEOUT 3600)
set_tests_properties(sim/promises sim/repeats sim/exhaust sim/canary PROPERTIES LABELS heavy)
# The long ones begin first, so that none runs alone at the end.
set_tests_properties(sim/exhaust PROPERTIES COST 100)
