# lwIP 2.1.3, unmodified, fetched and checked by ci/fetch: its TCP over IPv4 and IPv6, compiled for applications with the port in
# src/libos/net/lwip. A static library of its own, exos_lwip, which only programs that name it are linked with.
include(lwip_sources)
set(lwip_port ${CMAKE_SOURCE_DIR}/src/libos/net/lwip)
add_library(exos_lwip STATIC ${lwip_sources} ${lwip_port}/port.c ${lwip_port}/interface.c
  ${lwip_port}/input.c ${lwip_port}/ports.c ${lwip_port}/gone.c ${lwip_port}/move.c ${lwip_port}/leave.c ${lwip_port}/tick.c ${lwip_port}/quick.c
  ${lwip_port}/memory.c ${lwip_port}/output.c ${lwip_port}/syn.c ${lwip_port}/told.c ${lwip_port}/path.c ${lwip_port}/cut.c ${lwip_port}/discovery.c)
set(net ${CMAKE_SOURCE_DIR}/src/libos/net)
target_sources(exos_lwip PRIVATE ${net}/socket_all.c ${net}/segment.c ${net}/socket_tcp.c ${net}/stream_connect.c ${net}/stream_event.c ${net}/stream_data.c
  ${net}/stream_option.c ${net}/stream_wait.c ${net}/stream_ipv6.c ${net}/stream_share.c ${net}/stream_kept.c)
target_include_directories(exos_lwip SYSTEM PUBLIC ${AEGIS_LWIP_DIR}/src/include)
target_include_directories(exos_lwip PUBLIC ${lwip_port}/include)
target_link_libraries(exos_lwip PUBLIC exos_flags)
