# The client library is no room: its fuzz target names it.
if(TARGET fuzz_client)
  target_link_libraries(fuzz_client PRIVATE otpring_client)
endif()
# Neither are the programs: the configuration's parser is of otpringd ...
if(TARGET fuzz_config)
  target_link_libraries(fuzz_config PRIVATE otpringd_parts)
endif()
# ... these are of otpring-log ...
foreach(part log note proof seekable)
  if(TARGET fuzz_${part})
    target_link_libraries(fuzz_${part} PRIVATE otpring-log_parts)
  endif()
endforeach()
# ... and this is what otpring-load reads.
if(TARGET fuzz_traffic)
  target_link_libraries(fuzz_traffic PRIVATE otpring-load_parts)
endif()
# The store that questions are put to is that of the tests of enrolments, with the device's half of otpring-token.
if(TARGET fuzz_ask)
  target_include_directories(fuzz_ask PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(fuzz_ask PRIVATE otpring-token_parts otpring_approval PkgConfig::CMOCKA)
endif()
