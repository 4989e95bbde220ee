# The programs, one block each.

otpring_program(otpringd USES server approval challenge admin core journal store table otp kernel vault os base
                LIBRARIES PkgConfig::INIH PkgConfig::SYSTEMD PkgConfig::SECCOMP PkgConfig::JANSSON Threads::Threads)
if(TARGET otpringd)
  configure_file(${CMAKE_CURRENT_SOURCE_DIR}/otpringd/otpringd.service.in ${CMAKE_CURRENT_BINARY_DIR}/otpringd.service @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/otpringd.service DESTINATION lib/systemd/system)
  install(FILES otpringd/otpringd.sysusers.conf DESTINATION lib/sysusers.d RENAME otpring.conf)
  install(FILES otpringd/otpringd.tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME otpring.conf)
endif()
otpring_program(otpring-relay USES os base
                LIBRARIES otpring_admin_socket PkgConfig::CURL PkgConfig::MOSQUITTO PkgConfig::CRYPTO PkgConfig::INIH PkgConfig::JANSSON PkgConfig::SYSTEMD Threads::Threads)
if(TARGET otpring-relay)
  target_sources(otpring-relay_parts PRIVATE otpringd/log.c)
  target_compile_definitions(otpring-relay_parts PRIVATE OTPRING_DATA_FOLDER="${CMAKE_INSTALL_FULL_DATADIR}/otpring")
  configure_file(${CMAKE_CURRENT_SOURCE_DIR}/otpring-relay/otpring-relay.service.in ${CMAKE_CURRENT_BINARY_DIR}/otpring-relay.service @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/otpring-relay.service DESTINATION lib/systemd/system)
  install(DIRECTORY otpring-relay/texts otpring-relay/bodies DESTINATION ${CMAKE_INSTALL_DATADIR}/otpring)
  # The sample names bodies where they are installed, which `cmake --install --prefix` says only then.
  install(CODE "get_filename_component(OTPRING_DATA_FOLDER \"${CMAKE_INSTALL_DATADIR}/otpring\" ABSOLUTE BASE_DIR \"\${CMAKE_INSTALL_PREFIX}\")
    configure_file(\"${CMAKE_CURRENT_SOURCE_DIR}/otpring-relay/otpring-relay.conf.in\" \"${CMAKE_CURRENT_BINARY_DIR}/otpring-relay.conf\" @ONLY)")
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/otpring-relay.conf DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()

otpring_program(otpring USES admin core journal store table otp kernel vault os base
                LIBRARIES otpring_client otpring_qr otpring_admin_socket PkgConfig::CRYPTO PkgConfig::JANSSON)

# What bash completes is made by the program itself, so not where it is built for another machine.
if(TARGET otpring AND NOT CMAKE_CROSSCOMPILING AND NOT OTPRING_SANITIZE)
  add_custom_command(OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/otpring.bash COMMAND sh -c "$<TARGET_FILE:otpring> completion >otpring.bash"
                     WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} DEPENDS otpring VERBATIM)
  add_custom_target(otpring_completion ALL DEPENDS ${CMAKE_CURRENT_BINARY_DIR}/otpring.bash)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/otpring.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME otpring)
endif()

otpring_program(otpring-load USES journal vault os base kernel otp LIBRARIES otpring_client otpring_admin_socket PkgConfig::CRYPTO PkgConfig::JANSSON Threads::Threads m)

otpring_program(otpring-log USES challenge core journal table otp kernel store vault os base
                LIBRARIES PkgConfig::JANSSON Threads::Threads m PkgConfig::ZSTD)

otpring_program(otpring-token USES challenge otp kernel vault os base
                LIBRARIES otpring_admin_socket PkgConfig::CRYPTO PkgConfig::JANSSON PkgConfig::MOSQUITTO PkgConfig::PNG PkgConfig::ZBAR)
