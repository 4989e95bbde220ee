# The client library is no room: its fuzz target names it.
if(TARGET fuzz_client)
  target_link_libraries(fuzz_client PRIVATE otpring_client)
endif()
# The configuration's parser belongs to otpringd.
if(TARGET fuzz_config)
  target_sources(fuzz_config PRIVATE ${PROJECT_SOURCE_DIR}/tools/otpringd/config.c)
  target_link_libraries(fuzz_config PRIVATE PkgConfig::INIH)
endif()
# So do the parts of otpring-log.
if(TARGET fuzz_log)
  file(GLOB log_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/otpring-log/*.c)
  list(FILTER log_sources EXCLUDE REGEX "/main\\.c$")
  target_sources(fuzz_log PRIVATE ${log_sources})
  target_include_directories(fuzz_log PRIVATE ${PROJECT_SOURCE_DIR}/tools/otpring-log)
  target_link_libraries(fuzz_log PRIVATE PkgConfig::JANSSON PkgConfig::ZSTD m)
endif()
