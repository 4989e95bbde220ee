# The simulator compiles the rooms that hold words or order for itself: the same sources, with switch.h before each.
set(sim_folder ${CMAKE_CURRENT_LIST_DIR})
file(GLOB sim_engine_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/engine/core/*.c ${PROJECT_SOURCE_DIR}/engine/journal/*.c
     ${PROJECT_SOURCE_DIR}/engine/table/*.c)
set(sim_store_sources ${PROJECT_SOURCE_DIR}/engine/store/store_memory.c ${PROJECT_SOURCE_DIR}/engine/store/treap.c
    ${PROJECT_SOURCE_DIR}/engine/store/schema.c)
file(GLOB sim_own_sources CONFIGURE_DEPENDS ${sim_folder}/*.c)

# sim_program(NAME [PLANTED-BUG]): the simulator, built soundly or with one planted bug.
function(sim_program name)
  add_library(${name}_engine STATIC EXCLUDE_FROM_ALL ${sim_engine_sources})
  target_compile_options(${name}_engine PRIVATE -include ${sim_folder}/switch.h -O2)
  target_include_directories(${name}_engine PRIVATE ${PROJECT_SOURCE_DIR}/engine ${PROJECT_SOURCE_DIR}/include)
  # clang-tidy reads each source once, as the engine is built; switch.h speaks of atomics in a way that only gcc takes.
  set_target_properties(${name}_engine PROPERTIES EXPORT_COMPILE_COMMANDS OFF)
  target_link_libraries(${name}_engine PRIVATE PkgConfig::XXHASH)
  if(ARGN)
    target_compile_definitions(${name}_engine PRIVATE ${ARGN})
  endif()
  add_executable(${name} EXCLUDE_FROM_ALL $<TARGET_OBJECTS:sim_own>)
  target_link_libraries(${name} PRIVATE ${name}_engine sim_store otpring_otp otpring_kernel otpring_vault otpring_os otpring_base
                        PkgConfig::XXHASH PkgConfig::CRYPTO Threads::Threads)
endfunction()

add_library(sim_store STATIC EXCLUDE_FROM_ALL ${sim_store_sources})
target_include_directories(sim_store PRIVATE ${PROJECT_SOURCE_DIR}/engine)
add_library(sim_own OBJECT EXCLUDE_FROM_ALL ${sim_own_sources})
target_include_directories(sim_own PRIVATE ${PROJECT_SOURCE_DIR}/engine ${PROJECT_SOURCE_DIR}/include)
sim_program(sim)
set_target_properties(sim PROPERTIES EXCLUDE_FROM_ALL OFF)
