set(vcode_test ${CMAKE_CURRENT_SOURCE_DIR}/unit/vcode)
aegis_test_library(vcode_sim SOURCES ${vcode_test}/rv64_sim.c)
aegis_unit_test(vcode_emit_test SOURCES ${vcode_test}/emit_test.c LIBRARIES vcode_sim vcode_decode)

# Each row of rv64.def as objdump reads it.
add_executable(vcode_rows ${vcode_test}/rows.c)
target_compile_definitions(vcode_rows PRIVATE _GNU_SOURCE)
target_link_libraries(vcode_rows PRIVATE vcode_decode)
add_test(NAME vcode_rows_test COMMAND /usr/bin/python3 ${vcode_test}/rows_test.py $<TARGET_FILE:vcode_rows>)
set_tests_properties(vcode_rows_test PROPERTIES TIMEOUT 300)

# And what it does, on a hart that qemu-riscv64 emulates.
aegis_riscv64_test(vcode_rows_guest SOURCES ${vcode_test}/rows_guest.c ${vcode_test}/rv64_sim.c LIBRARIES vcode vcode_decode)
