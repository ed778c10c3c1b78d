# Compiled tries and filters, in the simulator of rv64.def and on a hart under qemu-riscv64.
set(dpf_compile_test ${CMAKE_CURRENT_SOURCE_DIR}/unit/dpf_compile)
set(dpf_compile_members ${dpf_compile_test}/members.c ${CMAKE_CURRENT_SOURCE_DIR}/unit/dpf/gen.c)
aegis_test_library(dpf_compiled SOURCES ${dpf_compile_test}/compiled.c)
aegis_test_library(shape SOURCES shape/shape.c)
set(dpf_compile_simulated ${dpf_compile_test}/compiled.c ${CMAKE_CURRENT_SOURCE_DIR}/unit/vcode/rv64_sim.c)
aegis_unit_test(dpf_compile_sim_test SOURCES ${dpf_compile_test}/sim_test.c ${dpf_compile_test}/members.c
                LIBRARIES dpf_compiled dpf_gen dpf vcode_sim vcode_decode)
# 10^5 pairs; by hand: qemu-riscv64 -cpu rv64 tests/dpf_compile_pairs_guest SEED TRIES
aegis_riscv64_test(dpf_compile_pairs_guest SOURCES ${dpf_compile_test}/pairs_guest.c ${dpf_compile_members} LIBRARIES dpf
                   TIMEOUT 300)
aegis_unit_test(dpf_compile_lifted_test SOURCES ${dpf_compile_test}/lifted_test.c
                LIBRARIES dpf_compiled dpf_lifted dpf vcode_sim vcode_decode)

# The shape of emitted code; its rows are the bench's (group dpf).
file(GLOB shapes ${CMAKE_CURRENT_SOURCE_DIR}/shape/*.shape)
aegis_unit_test(dpf_shape_test SOURCES shape/shape_test.c
                LIBRARIES shape dpf_compiled dpf_lifted dpf vcode_sim vcode_decode ARGUMENTS ${shapes})
aegis_unit_test(dpf_compile_fields_test SOURCES ${dpf_compile_test}/fields_test.c
                LIBRARIES dpf_compiled dpf_gen dpf vcode_sim vcode_decode)

file(GLOB dpf_compile_sources ${CMAKE_SOURCE_DIR}/src/dpf/*.c ${CMAKE_SOURCE_DIR}/src/vcode/*.c)
aegis_fuzz_target(dpf_compile_fuzz SOURCES fuzz/dpf/compile.c ${dpf_compile_simulated} ${dpf_compile_sources}
                  RUNS 20000 MAX_LEN 600)
aegis_unit_test(dpf_compile_cases_test SOURCES ${dpf_compile_test}/cases_test.c
                LIBRARIES dpf_compiled dpf vcode_sim vcode_decode)
