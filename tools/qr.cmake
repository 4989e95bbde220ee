# The one renderer of QR codes, for all programs.
file(GLOB qr_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/qr/*.c)
add_library(otpring_qr STATIC ${qr_sources})
target_include_directories(otpring_qr PUBLIC ${CMAKE_CURRENT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/engine)
target_link_libraries(otpring_qr PUBLIC otpring_base PRIVATE PkgConfig::QRENCODE PkgConfig::PNG)
