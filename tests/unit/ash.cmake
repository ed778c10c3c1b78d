# ASH: the library piece by piece; interpreter against machine code, under qemu-riscv64 and in the simulator.
set(ash_test ${CMAKE_CURRENT_SOURCE_DIR}/unit/ash)
set(ash_tools ${CMAKE_SOURCE_DIR}/src/tools/ashc)
set(ash_runner ${CMAKE_BINARY_DIR}/bin/ash-runner)
set(ash_engine ${ash_test}/engine.c ${ash_test}/generate.c ${ash_tools}/job.c ${ash_tools}/remote.c
    ${CMAKE_CURRENT_SOURCE_DIR}/unit/vcode/rv64_sim.c)

# ash_engine_test(NAME ARGUMENTS...): a test that runs programs by all engines.
function(ash_engine_test name)
  aegis_unit_test(ash_${name}_test SOURCES ${ash_test}/${name}_test.c ${ash_engine}
    LIBRARIES ash vcode_decode ARGUMENTS ${ARGN})
  target_compile_definitions(ash_${name}_test PRIVATE _GNU_SOURCE)
  add_dependencies(ash_${name}_test ash-runner)
endfunction()
ash_engine_test(cases ${ash_runner} ${ash_test}/cases)
ash_engine_test(differential ${ash_runner})
aegis_unit_test(ash_value_test SOURCES ${ash_test}/value_test.c LIBRARIES ash)
aegis_unit_test(ash_verify_test SOURCES ${ash_test}/verify_test.c ${ash_test}/generate.c LIBRARIES ash)
