# The client library is no room: its fuzz target names it.
if(TARGET fuzz_client)
  target_link_libraries(fuzz_client PRIVATE otpring_client)
endif()
# The configuration's parser belongs to otpringd.
if(TARGET fuzz_config)
  target_sources(fuzz_config PRIVATE ${PROJECT_SOURCE_DIR}/tools/otpringd/config.c)
  target_link_libraries(fuzz_config PRIVATE PkgConfig::INIH)
endif()
