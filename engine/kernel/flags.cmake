# Flags of the kernel files: each file for its own instruction set only; elsewhere only the portable kernel is built.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_compile_definitions(otpring_kernel PRIVATE OTPRING_X86)
  set_source_files_properties(kernel/sha_ni.c PROPERTIES COMPILE_OPTIONS "-msse4.1;-mssse3;-msha;-O2")
else()
  get_target_property(kernel_sources otpring_kernel SOURCES)
  list(FILTER kernel_sources EXCLUDE REGEX "sha_ni\\.c|avx")
  set_target_properties(otpring_kernel PROPERTIES SOURCES "${kernel_sources}")
endif()
