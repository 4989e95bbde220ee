# libotpring: shared for programs outside, static for our own (otpring_client). Only otpring_* is visible.
include(CMakePackageConfigHelpers)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto)
file(GLOB client_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/client/*.c)

add_library(otpring_client STATIC ${client_sources})
add_library(otpring_shared SHARED ${client_sources})
set_target_properties(otpring_client PROPERTIES EXPORT_NAME otpring-static OUTPUT_NAME otpring)
set_target_properties(otpring_shared PROPERTIES EXPORT_NAME otpring OUTPUT_NAME otpring
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
    LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/client/libotpring.map)
target_link_options(otpring_shared PRIVATE
    -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/client/libotpring.map)
foreach(target otpring_client otpring_shared)
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
      $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${target} PRIVATE OpenSSL::Crypto PkgConfig::JANSSON)
  set_target_properties(${target} PROPERTIES C_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
endforeach()
add_library(otpring::otpring ALIAS otpring_shared)
add_library(otpring::otpring-static ALIAS otpring_client)

install(TARGETS otpring_client otpring_shared EXPORT otpring-targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/otpring DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_SOURCE_DIR}/include/otpring/PROTOCOL.md ${PROJECT_SOURCE_DIR}/include/otpring/QR.md
    ${PROJECT_SOURCE_DIR}/include/otpring/DEVICE.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md ${PROJECT_SOURCE_DIR}/LICENSE
    ${PROJECT_SOURCE_DIR}/engine/admin/ACTS.md ${PROJECT_SOURCE_DIR}/engine/journal/FORMAT.md
    ${PROJECT_SOURCE_DIR}/engine/journal/INDEX.md ${PROJECT_SOURCE_DIR}/engine/journal/PROOF.md
    ${PROJECT_SOURCE_DIR}/tools/otpring-log/LOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(EXPORT otpring-targets NAMESPACE otpring:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/otpring)
configure_package_config_file(client/otpring-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/otpring-config.cmake
    INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/otpring)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/otpring-config-version.cmake
    COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/otpring-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/otpring-config-version.cmake
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/otpring)
# The file finds its prefix from where it lies, so that any --prefix of the installation holds.
file(RELATIVE_PATH OTPRING_PC_UP /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(client/otpring.pc.in ${CMAKE_CURRENT_BINARY_DIR}/otpring.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/otpring.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
