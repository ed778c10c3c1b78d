# DPF: the library by itself on random filters, and compiled filters against libpcap.
file(GLOB dpflift_sources ${CMAKE_SOURCE_DIR}/src/tools/dpfc/*.c)
list(FILTER dpflift_sources EXCLUDE REGEX "/main\\.c$")
aegis_unit_test(dpf_pcap_test SOURCES unit/dpf/pcap_test.c unit/dpf/lifted.c unit/dpf/gen.c ${dpflift_sources}
                LIBRARIES dpf pcap)
aegis_unit_test(dpf_trie_test SOURCES unit/dpf/trie_test.c unit/dpf/gen.c LIBRARIES dpf)
aegis_unit_test(dpf_walk_test SOURCES unit/dpf/walk_test.c unit/dpf/lifted.c unit/dpf/gen.c ${dpflift_sources}
                LIBRARIES dpf pcap)
aegis_unit_test(dpf_verify_test SOURCES unit/dpf/verify_test.c unit/dpf/gen.c LIBRARIES dpf)
aegis_unit_test(dpf_lift_test SOURCES unit/dpf/lift_test.c unit/dpf/lifted.c unit/dpf/gen.c ${dpflift_sources}
                LIBRARIES dpf pcap)
