# Peers in C. Each is built where its library is installed (tools/packages install bench); the report says what is not.
add_executable(peer_tokens peers/peer_tokens.c)
target_link_libraries(peer_tokens PRIVATE otpring-load_parts)

add_executable(hash_peers peers/hash_peers.c peers/tokens.c)
target_include_directories(hash_peers PRIVATE ${PROJECT_SOURCE_DIR}/engine)
target_link_libraries(hash_peers PRIVATE otpring_kernel PkgConfig::OATH PkgConfig::CRYPTO)
find_library(OTPRING_IPSEC_MB IPSec_MB)
if(OTPRING_IPSEC_MB)
  target_compile_definitions(hash_peers PRIVATE BENCH_IPSEC_MB)
  target_link_libraries(hash_peers PRIVATE ${OTPRING_IPSEC_MB})
endif()

add_executable(redis_web peers/redis_web.c peers/tokens.c)
target_link_libraries(redis_web PRIVATE PkgConfig::CRYPTO)

find_library(OTPRING_PAM pam)
find_path(OTPRING_PAM_HEADERS security/pam_appl.h)
if(OTPRING_PAM AND OTPRING_PAM_HEADERS)
  add_executable(pam_peer peers/pam_peer.c peers/tokens.c)
  target_link_libraries(pam_peer PRIVATE PkgConfig::OATH ${OTPRING_PAM})
endif()
