# lwip_unit and lwip_sources, with init.c: what ExOS takes of lwIP (lwip.cmake), for programs, and for tests on the host.
include(fetched)
fetched_sources(AEGIS_LWIP_DIR lwip "lwIP 2.1.3")
set(lwip_files core/def.c core/inet_chksum.c core/ip.c core/mem.c core/memp.c core/netif.c core/pbuf.c
  core/stats.c core/sys.c core/tcp.c core/tcp_in.c core/tcp_out.c core/timeouts.c core/ipv4/ip4.c core/ipv4/ip4_addr.c
  core/ipv6/ip6.c core/ipv6/ip6_addr.c)
list(TRANSFORM lwip_files PREPEND "#include \"${AEGIS_LWIP_DIR}/src/")
list(TRANSFORM lwip_files APPEND "\"")
list(JOIN lwip_files "\n" lwip_text)
# lwIP's own are one unit, so that its many small functions are compiled into each other; but for init.c (arch/cc.h).
set(lwip_unit ${CMAKE_CURRENT_BINARY_DIR}/lwip.c)
file(CONFIGURE OUTPUT ${lwip_unit} CONTENT "${lwip_text}" @ONLY)
set_source_files_properties(${AEGIS_LWIP_DIR}/src/core/init.c PROPERTIES COMPILE_DEFINITIONS NET_LWIP_PACKED)
set(lwip_sources ${lwip_unit} ${AEGIS_LWIP_DIR}/src/core/init.c)
