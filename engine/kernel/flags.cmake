# Flags of the kernel files: each file for its own instruction set only; elsewhere than on x86 what runs everywhere is built.
# The generated rounds are long and straight. Where their variables live is of no use to a debugger, and takes half of the
# compiler's time (-g1). With what sanitizers look at, -O2 takes minutes. Coverage (tests/coverage/coverage.py) is of other
# rooms.
set(rounds -O2 -g1)
if(OTPRING_SANITIZE AND CMAKE_C_COMPILER_ID STREQUAL "Clang")
  set(rounds -O0 -g1)
elseif(OTPRING_SANITIZE)
  set(rounds -O1 -g1)
elseif(CMAKE_C_FLAGS MATCHES "coverage-mapping")
  list(APPEND rounds -fno-profile-instr-generate -fno-coverage-mapping)
endif()
# They are written in the order in which they should run: these two gcc passes would undo that.
set(straight "${rounds};$<$<C_COMPILER_ID:GNU>:-fno-tree-ter;-fno-tree-reassoc>")
set_source_files_properties(kernel/simd128.c PROPERTIES COMPILE_OPTIONS "${straight}")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_compile_definitions(otpring_kernel PRIVATE OTPRING_X86)
  # Streams stand between each other's rounds: here it is these two that would put one after the other (47 ns a candidate
  # instead of 33).
  set(between "${rounds};$<$<C_COMPILER_ID:GNU>:-fno-tree-ter;-fno-tree-sink>")
  set_source_files_properties(kernel/sha_ni.c PROPERTIES COMPILE_OPTIONS "-mavx;-msha;${between}")
  set_source_files_properties(kernel/avx2.c PROPERTIES COMPILE_OPTIONS "-mavx2;${straight}")
  set_source_files_properties(kernel/avx512.c PROPERTIES COMPILE_OPTIONS "-mavx512f;-mavx512bw;-mavx512vl;-mavx512dq;${straight}")
  set_source_files_properties(kernel/stages_avx2.c PROPERTIES COMPILE_OPTIONS "-mavx2;-O2")
  set_source_files_properties(kernel/stages_avx512.c PROPERTIES COMPILE_OPTIONS "-mavx512f;-mavx512bw;-mavx512vl;-mavx512dq;-O2")
else()
  get_target_property(kernel_sources otpring_kernel SOURCES)
  list(FILTER kernel_sources EXCLUDE REGEX "sha_ni\\.c|avx")
  set_target_properties(otpring_kernel PROPERTIES SOURCES "${kernel_sources}")
endif()
