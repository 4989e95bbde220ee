# The Python client against PROTOCOL.md's own bytes; the C examples are built as a stranger would.
find_package(Python3 3.11 COMPONENTS Interpreter)
if(Python3_FOUND)
  add_test(NAME python/client COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/python/otpring_client_test.py)
  # A second implementation of OCRA, and the vectors that it makes for the engine's own.
  add_test(NAME python/ocra_reference COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/python/ocra_reference.py check
           ${CMAKE_CURRENT_SOURCE_DIR}/vectors)
  # A device written from its page: the QR challenges and offline questions that it makes, read by the engine's code.
  add_test(NAME python/qr_device COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/python/qr_device.py check
           ${CMAKE_CURRENT_SOURCE_DIR}/vectors)
  # A device written from DEVICE.md alone, against the page's own bytes; skipped where python3-cryptography is not there.
  add_test(NAME python/device COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/python/otpring_device_test.py)
  set_tests_properties(python/device PROPERTIES SKIP_RETURN_CODE 77)
endif()
add_executable(example_auth_server ${CMAKE_CURRENT_SOURCE_DIR}/examples/auth_server.c)
target_link_libraries(example_auth_server PRIVATE otpring::otpring)
add_executable(example_ask_user ${CMAKE_CURRENT_SOURCE_DIR}/examples/ask_user.c)
target_link_libraries(example_ask_user PRIVATE otpring::otpring)
# Parts of programs, without their main.
foreach(source ${unit_tests})
  if(source MATCHES "/unit/(load|log|relay|token)/([a-z_]+)\\.c$")
    target_link_libraries(unit_${CMAKE_MATCH_1}_${CMAKE_MATCH_2} PRIVATE otpring-${CMAKE_MATCH_1}_parts)
  elseif(source MATCHES "/unit/otpringd/([a-z_]+)\\.c$")
    target_link_libraries(unit_otpringd_${CMAKE_MATCH_1} PRIVATE otpringd_parts)
  endif()
endforeach()
# What reads QR codes back: zbar, and libpng the files.
if(TARGET unit_qr_qr_test)
  target_link_libraries(unit_qr_qr_test PRIVATE PkgConfig::ZBAR PkgConfig::PNG)
endif()
# Valgrind runs the same program, to look for jumps and addresses that are made of secrets. Sanitizers do not go with it.
if(TARGET unit_kernel_secret_test)
  find_program(VALGRIND valgrind REQUIRED)
  find_path(VALGRIND_HEADERS valgrind/memcheck.h REQUIRED)
  target_link_libraries(unit_kernel_secret_test PRIVATE otpring_otp)
  set_tests_properties(unit/kernel/secret PROPERTIES COST 20)
  if(NOT OTPRING_SANITIZE)
    add_test(NAME unit/kernel/secret_memcheck COMMAND ${VALGRIND} --quiet $<TARGET_FILE:unit_kernel_secret_test> memcheck)
  endif()
endif()
# Oracles of the kernel and otp tests that we did not write: OpenSSL's HMAC and liboath.
foreach(source ${unit_tests})
  if(source MATCHES "/unit/kernel/([a-z0-9_]+)\\.c$")
    target_link_libraries(unit_kernel_${CMAKE_MATCH_1} PRIVATE PkgConfig::CRYPTO)
  endif()
endforeach()
if(TARGET unit_otp_otp_test)
  pkg_check_modules(OATH REQUIRED IMPORTED_TARGET liboath)
  target_link_libraries(unit_otp_otp_test PRIVATE PkgConfig::OATH PkgConfig::CRYPTO)
endif()
# Makes tests/golden/journal anew; run by hand, only with a new version of the format.
add_executable(journal_generate EXCLUDE_FROM_ALL golden/journal_generate.c)
target_include_directories(journal_generate PRIVATE ${PROJECT_SOURCE_DIR}/engine ${PROJECT_SOURCE_DIR}/include unit/journal)
target_link_libraries(journal_generate PRIVATE unit_journal_helpers otpring_journal PkgConfig::CMOCKA)
# What otpring-log shows of the good golden journal, byte by byte.
foreach(form show json)
  add_test(NAME cli/otpring-log-${form} COMMAND bash -c
           "$<TARGET_FILE:otpring-log> --store golden/journal/good show --own $<$<STREQUAL:${form},json>:--json> | cmp - golden/journal/good.${form}"
           WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
endforeach()
# The device of the power-cut tests, beside the programs so that the stories find it.
pkg_check_modules(FUSE3 IMPORTED_TARGET fuse3)
if(FUSE3_FOUND)
  add_executable(forget_fs ${CMAKE_CURRENT_SOURCE_DIR}/e2e/forget_fs.c)
  target_link_libraries(forget_fs PRIVATE PkgConfig::FUSE3)
  set_target_properties(forget_fs PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tools)
endif()
# Daemons with a planted bug in the room of system calls, for e2e/sabotage alone, which proves that the crash tests find them.
if(NOT OTPRING_SANITIZE)
  file(GLOB os_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/engine/os/*.c)
  foreach(bug early-answer no-sync)
    string(MAKE_C_IDENTIFIER sabotage_${bug} target)
    string(TOUPPER otpring_${target} definition)
    # The room's own objects come before its library, which then has nothing left to give.
    add_executable(${target} ${PROJECT_SOURCE_DIR}/tools/otpringd/main.c ${os_sources})
    target_compile_definitions(${target} PRIVATE ${definition})
    target_link_libraries(${target} PRIVATE otpringd_parts)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME otpringd RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/sabotage/${bug})
    # clang-tidy reads these sources once, as the sound daemon is built.
    set_target_properties(${target} PROPERTIES EXPORT_COMPILE_COMMANDS OFF)
  endforeach()
endif()
# The deterministic simulator; see tests/sim. Coroutines and sanitizers do not know of each other: the plain builds alone.
if(NOT OTPRING_SANITIZE)
  include(sim/sim.cmake)
endif()
# The crash test once more on rings that the kernel holds to what Linux 6.1 knows.
add_test(NAME e2e/ring_6_1 COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/e2e/once_test.py ${CMAKE_BINARY_DIR}/tools)
set_tests_properties(e2e/ring_6_1 PROPERTIES RUN_SERIAL ON ENVIRONMENT "OTPRING_RING_FEATURES=6.1;OTPRING_KILLS=3")
# The Spin model and its mutants.
add_test(NAME model/spin COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/model/model_test.py)
set_tests_properties(model/spin PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1800 LABELS heavy COST 90)
# Stores' keys for the signed challenges.
if(TARGET unit_challenge_uri_test AND TARGET unit_vault_helpers)
  target_link_libraries(unit_challenge_uri_test PRIVATE unit_vault_helpers)
endif()
# The device's half of otpring-token, against the engine's.
foreach(target unit_admin_enrol_test unit_admin_enrol_guard_test unit_admin_random_acts_test)
  if(TARGET ${target})
    target_link_libraries(${target} PRIVATE otpring-token_parts)
  endif()
endforeach()
# The random acts: their model, their world, and a file for each kind.
if(TARGET unit_admin_random_acts_test)
  foreach(part model world people tokens phones checks)
    target_sources(unit_admin_random_acts_test PRIVATE unit/admin/random_acts_${part}.c)
  endforeach()
endif()
