# The client's side of admin.sock, for all programs that ask the daemon.
add_library(otpring_admin_socket STATIC ${CMAKE_CURRENT_SOURCE_DIR}/admin_socket/admin_socket.c)
target_include_directories(otpring_admin_socket PUBLIC ${CMAKE_CURRENT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
