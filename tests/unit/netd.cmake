# netd's handlers, compiled as for its program, in the interpreter that checks each access.
set(netd_dir ${CMAKE_SOURCE_DIR}/src/apps/netd)
set(netd_images ${CMAKE_CURRENT_BINARY_DIR}/netd_images)
file(GLOB netd_headers ${netd_dir}/handlers/*.h ${CMAKE_SOURCE_DIR}/src/libos/net/*.h)
set(netd_image_files)
foreach(handler answer arp)
  add_custom_command(OUTPUT ${netd_images}/netd_${handler}.ash
    COMMAND ${CMAKE_COMMAND} -E make_directory ${netd_images}
    COMMAND ${CMAKE_COMMAND} -E env CPATH=${CMAKE_SOURCE_DIR}/src $<TARGET_FILE:ashc> -o ${netd_images}/netd_${handler}.ash
            ${netd_dir}/handlers/${handler}.c
    DEPENDS ashc ${netd_dir}/handlers/${handler}.c ${netd_headers} VERBATIM)
  list(APPEND netd_image_files ${netd_images}/netd_${handler}.ash)
endforeach()
aegis_fuzz_target(netd_handlers_fuzz SOURCES fuzz/netd/handlers.c ${ash_all} INCLUDES ${netd_images}
  DEPENDS ${netd_image_files} MAX_LEN 1515)

# What netd's process reads.
set(netd_told ${netd_dir}/fragments.c ${netd_dir}/outgoing.c ${netd_dir}/icmp_error.c ${libos_dir}/net/note.c ${libos_dir}/net/pieces.c ${libos_dir}/net/checksum.c)
aegis_unit_test(netd_fragments_test SOURCES unit/netd/fragments_test.c ${netd_told})
target_include_directories(netd_fragments_test PRIVATE ${netd_dir})
aegis_unit_test(netd_icmp_error_test SOURCES unit/netd/icmp_error_test.c ${netd_dir}/icmp_error.c ${libos_dir}/net/checksum.c)
target_include_directories(netd_icmp_error_test PRIVATE ${netd_dir})
aegis_unit_test(netd_extension_test SOURCES unit/netd/extension_test.c ${netd_dir}/extension.c)
target_include_directories(netd_extension_test PRIVATE ${netd_dir})
aegis_fuzz_target(netd_extension_fuzz SOURCES fuzz/netd/extension.c ${netd_dir}/extension.c INCLUDES ${netd_dir} MAX_LEN 1500)
set(netd_packet6 ${netd_dir}/packet6.c ${netd_dir}/extension.c ${netd_dir}/icmp_out.c ${netd_dir}/fragments.c ${libos_dir}/net/checksum.c)
aegis_unit_test(netd_packet6_test SOURCES unit/netd/packet6_test.c ${netd_packet6})
target_include_directories(netd_packet6_test PRIVATE ${netd_dir})
aegis_fuzz_target(netd_packet6_fuzz SOURCES fuzz/netd/packet6.c ${netd_packet6} INCLUDES ${netd_dir} MAX_LEN 4000)
aegis_unit_test(netd_outgoing_test SOURCES unit/netd/outgoing_test.c ${netd_told})
target_include_directories(netd_outgoing_test PRIVATE ${netd_dir})
aegis_unit_test(netd_asking_test SOURCES unit/netd/asking_test.c ${netd_dir}/asking.c)
target_include_directories(netd_asking_test PRIVATE ${netd_dir})
aegis_unit_test(netd_quota_test SOURCES unit/netd/quota_test.c)
target_include_directories(netd_quota_test PRIVATE ${netd_dir})
aegis_unit_test(netd_linger_test SOURCES unit/netd/linger_test.c ${netd_dir}/linger.c)
target_include_directories(netd_linger_test PRIVATE ${netd_dir})
aegis_unit_test(libos_note_test SOURCES unit/libos/note_test.c ${libos_dir}/net/note.c ${libos_dir}/net/pieces.c ${libos_dir}/net/checksum.c)
set(netd_dhcp ${netd_dir}/dhcp.c ${netd_dir}/dhcp_message.c ${libos_dir}/net/dns.c ${libos_dir}/net/datagram.c ${libos_dir}/net/checksum.c)
aegis_unit_test(netd_dhcp_test SOURCES unit/netd/dhcp_test.c ${netd_dhcp})
target_include_directories(netd_dhcp_test PRIVATE ${netd_dir})
aegis_fuzz_target(netd_told_fuzz SOURCES fuzz/netd/told.c ${netd_told} ${netd_dir}/dhcp.c ${netd_dir}/dhcp_message.c
  ${libos_dir}/net/dns.c ${libos_dir}/net/datagram.c INCLUDES ${netd_dir} MAX_LEN 8000)

# netd's process in a machine of its own.
set(netd_world unit/netd/world.c ${netd_dir}/orders.c ${netd_dir}/ports.c ${netd_dir}/left.c ${netd_dir}/quota.c)
aegis_unit_test(netd_orders_test SOURCES unit/netd/orders_test.c ${netd_world})
target_include_directories(netd_orders_test BEFORE PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/unit/netd/world ${CMAKE_CURRENT_SOURCE_DIR}/unit/netd)
aegis_fuzz_target(netd_orders_fuzz SOURCES fuzz/netd/orders.c ${netd_world}
  INCLUDES ${CMAKE_CURRENT_SOURCE_DIR}/unit/netd/world ${CMAKE_CURRENT_SOURCE_DIR}/unit/netd MAX_LEN 500 RUNS 3000 LONG)
