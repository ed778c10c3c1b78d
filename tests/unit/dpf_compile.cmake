# Compiled tries and filters, in the simulator of rv64.def.
set(dpf_compile_test ${CMAKE_CURRENT_SOURCE_DIR}/unit/dpf_compile)
set(dpf_compile_shared ${dpf_compile_test}/compiled.c ${CMAKE_CURRENT_SOURCE_DIR}/unit/vcode/rv64_sim.c
    ${CMAKE_CURRENT_SOURCE_DIR}/unit/dpf/gen.c)
aegis_unit_test(dpf_compile_sim_test SOURCES ${dpf_compile_test}/sim_test.c ${dpf_compile_shared} LIBRARIES dpf vcode_decode)
