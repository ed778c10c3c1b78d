# Parts of ExOS that know no system call, on the host; and what its programs must not do.
set(libos_dir ${CMAKE_SOURCE_DIR}/src/libos)
aegis_unit_test(libos_heap_test SOURCES unit/libos/heap_test.c ${libos_dir}/vm/heap.c ${libos_dir}/vm/quick.c)
aegis_unit_test(libos_net_test SOURCES unit/libos/net_test.c ${libos_dir}/net/parse.c ${libos_dir}/net/checksum.c
  ${libos_dir}/net/datagram.c)
aegis_unit_test(libos_segment_test SOURCES unit/libos/segment_test.c ${libos_dir}/net/segment.c ${libos_dir}/net/checksum.c)
aegis_unit_test(libos_filter_test SOURCES unit/libos/filter_test.c ${libos_dir}/net/filter.c LIBRARIES dpf)
aegis_unit_test(libos_asked_test SOURCES unit/libos/asked_test.c ${libos_dir}/net/asked.c)
target_include_directories(libos_asked_test BEFORE PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/unit/netd/world)
set(libos_names ${libos_dir}/net/dns.c ${libos_dir}/net/names.c ${libos_dir}/net/inet6.c)
aegis_unit_test(libos_echo_test SOURCES unit/libos/echo_test.c ${libos_dir}/net/echo.c ${libos_dir}/net/checksum.c)
aegis_unit_test(libos_ipv6_test SOURCES unit/libos/ipv6_test.c ${libos_dir}/net/datagram6.c ${libos_dir}/net/echo.c
  ${libos_dir}/net/checksum.c)
aegis_unit_test(libos_order_test SOURCES unit/libos/order_test.c ${libos_dir}/net/order.c)
aegis_unit_test(libos_dns_test SOURCES unit/libos/dns_test.c ${libos_names})
aegis_unit_test(libos_names_test SOURCES unit/libos/names_test.c ${libos_names})
aegis_fuzz_target(libos_dns_fuzz SOURCES fuzz/libos_dns.c ${libos_names} LIBRARIES resolv)

# Terminals, beside those of the host.
aegis_unit_test(libos_tty_test SOURCES unit/libos/tty_test.c ${libos_dir}/tty/line.c ${libos_dir}/tty/rings.c)

# The string functions, under other names beside the host's; they must not be taken for what they implement.
add_library(libos_string OBJECT ${libos_dir}/string/copy.c ${libos_dir}/string/compare.c ${libos_dir}/string/find.c)
target_compile_options(libos_string PRIVATE -include ${CMAKE_CURRENT_SOURCE_DIR}/unit/libos/string_names.h
  -fno-builtin -fno-tree-loop-distribute-patterns -fsanitize=address,undefined -fno-sanitize-recover=all)
aegis_unit_test(libos_string_test SOURCES unit/libos/string_test.c LIBRARIES libos_string)

add_test(NAME libos_gp_is_free COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/guest/check_gp ${CMAKE_BINARY_DIR}/guest)
set_tests_properties(libos_gp_is_free PROPERTIES TIMEOUT 300)

aegis_fuzz_target(libos_net_fuzz SOURCES fuzz/libos_net.c ${libos_dir}/net/parse.c ${libos_dir}/net/checksum.c ${libos_dir}/net/echo.c
  ${libos_dir}/net/datagram.c ${libos_dir}/net/datagram6.c)
aegis_fuzz_target(libos_segment_fuzz SOURCES fuzz/libos_segment.c ${libos_dir}/net/segment.c ${libos_dir}/net/checksum.c)

# Streams that are handed on, with the lwIP that programs have.
include(lwip_sources)
set(stream_kept ${lwip_unit} ${CMAKE_CURRENT_SOURCE_DIR}/unit/libos/lwip_host.c ${libos_dir}/net/stream_kept.c ${libos_dir}/net/stream_event.c
  ${libos_dir}/net/share_bytes.c ${libos_dir}/net/lwip/move.c ${libos_dir}/net/lwip/tick.c ${libos_dir}/net/lwip/cut.c ${libos_dir}/net/lwip/quick.c ${libos_dir}/net/lwip/discovery.c)
set(lwip_includes ${CMAKE_CURRENT_SOURCE_DIR}/unit/shim ${libos_dir}/net/lwip/include ${AEGIS_LWIP_DIR}/src/include)
aegis_test_library(lwip_host SOURCES ${stream_kept})
target_include_directories(lwip_host PUBLIC ${lwip_includes})
aegis_unit_test(libos_stream_kept_test SOURCES unit/libos/stream_kept_test.c LIBRARIES lwip_host)
aegis_unit_test(libos_quick_test SOURCES unit/libos/quick_test.c LIBRARIES lwip_host)
aegis_fuzz_target(libos_stream_fuzz SOURCES fuzz/libos_stream.c ${stream_kept}
  INCLUDES ${lwip_includes} MAX_LEN 200 RUNS 1500 LONG)
