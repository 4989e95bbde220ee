# The disk with a slow sync, where FUSE is installed.
pkg_check_modules(BENCH_FUSE3 IMPORTED_TARGET fuse3)
if(BENCH_FUSE3_FOUND)
  add_executable(slow_fs end/slow_fs.c)
  target_link_libraries(slow_fs PRIVATE PkgConfig::BENCH_FUSE3)
endif()
