# The disk's ownership table: against a model, under losses of power, and on damaged bytes.
foreach(name crash model read)
  aegis_unit_test(extent_${name}_test SOURCES unit/extent/${name}_test.c unit/extent/sim.c LIBRARIES extent)
endforeach()
file(GLOB extent_sources ${CMAKE_SOURCE_DIR}/src/extent/*.c)
aegis_fuzz_target(extent_table_fuzz
  SOURCES fuzz/extent/table.c ${extent_sources} ${CMAKE_SOURCE_DIR}/src/siphash/siphash.c
  MAX_LEN 16384)
