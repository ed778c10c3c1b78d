# The program kv on the host, and its handler beside it.
set(kv_dir ${CMAKE_SOURCE_DIR}/src/apps/kv)
set(kv_sources ${kv_dir}/request.c ${kv_dir}/store.c ${CMAKE_SOURCE_DIR}/src/libos/net/checksum.c)
set(kv_image ${CMAKE_CURRENT_BINARY_DIR}/kv_get.ash)
add_custom_command(OUTPUT ${kv_image}
  COMMAND ${CMAKE_COMMAND} -E env CPATH=${CMAKE_SOURCE_DIR}/src $<TARGET_FILE:ashc> -o ${kv_image} ${kv_dir}/handlers/get.c
  DEPENDS ashc ${kv_dir}/handlers/get.c ${kv_dir}/kv.h VERBATIM)
add_custom_target(kv_image DEPENDS ${kv_image})
aegis_unit_test(kv_test SOURCES unit/kv/kv_test.c ${kv_sources} ${CMAKE_SOURCE_DIR}/src/libos/net/datagram.c LIBRARIES ash
  ARGUMENTS ${kv_image})
target_include_directories(kv_test PRIVATE ${CMAKE_SOURCE_DIR}/src/apps)
add_dependencies(kv_test kv_image)
aegis_fuzz_target(kv_serve_fuzz SOURCES fuzz/kv_serve.c ${kv_sources} INCLUDES ${CMAKE_SOURCE_DIR}/src/apps)
aegis_unit_test(kv_wire_test SOURCES unit/kv/wire_test.c ${kv_dir}/wire.c ${kv_sources} ${CMAKE_SOURCE_DIR}/src/libos/net/datagram.c
  ${CMAKE_SOURCE_DIR}/src/libos/net/datagram6.c)
target_include_directories(kv_wire_test PRIVATE ${CMAKE_SOURCE_DIR}/src/apps)
