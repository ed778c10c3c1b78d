# lwIP 2.1.3, unmodified, fetched and checked by ci/fetch: its TCP over IPv4 and IPv6, compiled for applications with the port in
# src/libos/net/lwip. A static library of its own, exos_lwip, which only programs that name it are linked with.
include(fetched)
fetched_sources(AEGIS_LWIP_DIR lwip "lwIP 2.1.3")
set(lwip_port ${CMAKE_SOURCE_DIR}/src/libos/net/lwip)
set(lwip_sources core/def.c core/inet_chksum.c core/ip.c core/mem.c core/memp.c core/netif.c core/pbuf.c
  core/stats.c core/sys.c core/tcp.c core/tcp_in.c core/tcp_out.c core/timeouts.c core/ipv4/ip4.c core/ipv4/ip4_addr.c
  core/ipv6/ip6.c core/ipv6/ip6_addr.c)
list(TRANSFORM lwip_sources PREPEND "#include \"${AEGIS_LWIP_DIR}/src/")
list(TRANSFORM lwip_sources APPEND "\"")
list(JOIN lwip_sources "\n" lwip_includes)
# lwIP's own are one unit, so that its many small functions are compiled into each other; but for init.c (arch/cc.h).
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/lwip.c CONTENT "${lwip_includes}" @ONLY)
set_source_files_properties(${AEGIS_LWIP_DIR}/src/core/init.c PROPERTIES COMPILE_DEFINITIONS NET_LWIP_PACKED)
add_library(exos_lwip STATIC ${CMAKE_CURRENT_BINARY_DIR}/lwip.c ${AEGIS_LWIP_DIR}/src/core/init.c ${lwip_port}/port.c ${lwip_port}/interface.c
  ${lwip_port}/input.c ${lwip_port}/leave.c
  ${lwip_port}/memory.c ${lwip_port}/output.c ${lwip_port}/syn.c ${lwip_port}/told.c ${lwip_port}/discovery.c)
set(net ${CMAKE_SOURCE_DIR}/src/libos/net)
target_sources(exos_lwip PRIVATE ${net}/socket_all.c ${net}/segment.c ${net}/socket_tcp.c ${net}/stream_event.c ${net}/stream_data.c
  ${net}/stream_option.c ${net}/stream_wait.c ${net}/stream_ipv6.c)
target_include_directories(exos_lwip SYSTEM PUBLIC ${AEGIS_LWIP_DIR}/src/include)
target_include_directories(exos_lwip PUBLIC ${lwip_port}/include)
target_link_libraries(exos_lwip PUBLIC exos_flags)
