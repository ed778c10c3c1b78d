# ASH: the library piece by piece; interpreter against machine code, under qemu-riscv64 and in the simulator.
set(ash_test ${CMAKE_CURRENT_SOURCE_DIR}/unit/ash)
set(ash_tools ${CMAKE_SOURCE_DIR}/src/tools/ashc)
set(ash_runner ${CMAKE_BINARY_DIR}/bin/ash-runner)
set(ash_engine ${ash_test}/engine.c ${ash_test}/generate.c ${ash_tools}/job.c ${ash_tools}/remote.c
    ${CMAKE_CURRENT_SOURCE_DIR}/unit/vcode/rv64_sim.c)
aegis_test_library(ash_engine SOURCES ${ash_test}/engine.c ${ash_test}/generate.c ${ash_tools}/job.c ${ash_tools}/remote.c)

# ash_engine_test(NAME ARGUMENTS...): a test that runs programs by all engines.
function(ash_engine_test name)
  aegis_unit_test(ash_${name}_test SOURCES ${ash_test}/${name}_test.c
    LIBRARIES ash_engine ash vcode_sim vcode_decode ARGUMENTS ${ARGN})
  target_compile_definitions(ash_${name}_test PRIVATE _GNU_SOURCE)
  add_dependencies(ash_${name}_test ash-runner)
endfunction()
ash_engine_test(cases ${ash_runner} ${ash_test}/cases)
ash_engine_test(run ${ash_runner})
ash_engine_test(differential ${ash_runner})
file(GLOB ash_shapes ${CMAKE_CURRENT_SOURCE_DIR}/shape/ash/*.shape)
aegis_unit_test(ash_shape_test SOURCES shape/ash_shape_test.c LIBRARIES shape ash_engine ash vcode_sim vcode_decode ARGUMENTS ${ash_shapes})
target_compile_definitions(ash_shape_test PRIVATE _GNU_SOURCE)
aegis_unit_test(ash_image_test SOURCES ${ash_test}/image_test.c LIBRARIES ash)
aegis_unit_test(ash_value_test SOURCES ${ash_test}/value_test.c LIBRARIES ash)
aegis_unit_test(ash_verify_test SOURCES ${ash_test}/verify_test.c LIBRARIES ash_engine ash)

# What untrusted bytes go through. The fuzzer of objects begins with what clang makes of the examples.
get_target_property(ash_sources ash INTERFACE_SOURCES)
get_target_property(ash_decode_sources vcode_decode INTERFACE_SOURCES)
get_target_property(ash_vcode_sources vcode INTERFACE_SOURCES)
set(ash_all ${ash_sources} ${ash_vcode_sources} ${ash_decode_sources})
aegis_fuzz_target(ash_verify_fuzz SOURCES fuzz/ash/verify.c ${ash_engine} ${ash_all} INCLUDES ${ash_test}
  MAX_LEN 512 RUNS 2000)
set(ash_corpus ${CMAKE_CURRENT_BINARY_DIR}/ash_objects)
set(ash_objects)
foreach(example udp-echo arp-reply drop-by-port)
  add_custom_command(OUTPUT ${ash_corpus}/${example}.o
    COMMAND ${CMAKE_COMMAND} -E make_directory ${ash_corpus}
    COMMAND ${AEGIS_CLANG} -target bpf -O2 -g -D__${CMAKE_HOST_SYSTEM_PROCESSOR}__ -idirafter
            /usr/include/${CMAKE_LIBRARY_ARCHITECTURE} -c ${CMAKE_SOURCE_DIR}/examples/handlers/${example}.c
            -o ${ash_corpus}/${example}.o
    DEPENDS ${CMAKE_SOURCE_DIR}/examples/handlers/${example}.c VERBATIM)
  list(APPEND ash_objects ${ash_corpus}/${example}.o)
endforeach()
string(REPLACE ";" "," ash_seeds "${ash_objects}")
set(ash_images ${CMAKE_CURRENT_BINARY_DIR}/ash_images)
add_custom_command(OUTPUT ${ash_images}/udp-echo.ash
  COMMAND ${CMAKE_COMMAND} -E make_directory ${ash_images}
  COMMAND ashc -o ${ash_images}/udp-echo.ash ${ash_corpus}/udp-echo.o
  DEPENDS ashc ${ash_corpus}/udp-echo.o VERBATIM)
add_custom_target(ash_corpora ALL DEPENDS ${ash_objects} ${ash_images}/udp-echo.ash)
aegis_fuzz_target(ash_image_fuzz SOURCES fuzz/ash/image.c ${ash_all} MAX_LEN 2048
  CORPUS -seed_inputs=${ash_images}/udp-echo.ash)
set(ash_lift fuzz/ash/no_clang.c ${ash_tools}/lift.c ${ash_tools}/hex.c ${ash_tools}/object.c ${ash_tools}/btf.c
    ${ash_tools}/maps.c ${ash_tools}/link.c ${ash_tools}/image.c)
aegis_fuzz_target(ash_object_fuzz SOURCES fuzz/ash/object.c ${ash_lift} ${ash_all}
  MAX_LEN 16384 CORPUS -seed_inputs=${ash_seeds})
aegis_unit_test(ash_object_test SOURCES unit/ash/object_test.c ${ash_lift} LIBRARIES ash ARGUMENTS ${ash_objects})
target_compile_definitions(ash_object_test PRIVATE _GNU_SOURCE)
add_dependencies(ash_object_test ash_corpora)
