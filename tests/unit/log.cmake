# The record store of the program log, which a disk's loss of power must not harm.
aegis_unit_test(log_store_test SOURCES unit/log/store_test.c ${CMAKE_SOURCE_DIR}/src/apps/log/store.c LIBRARIES siphash)
aegis_fuzz_target(log_store_fuzz
  SOURCES fuzz/log_store.c ${CMAKE_SOURCE_DIR}/src/apps/log/store.c ${CMAKE_SOURCE_DIR}/src/siphash/siphash.c)
