# DPF: the library by itself on random filters, and compiled filters against libpcap.
file(GLOB dpflift_sources ${CMAKE_SOURCE_DIR}/src/tools/dpfc/*.c)
list(FILTER dpflift_sources EXCLUDE REGEX "/(main|match|merge|print_code|print_trie)\\.c$") # the command's own
aegis_unit_test(dpf_pcap_test SOURCES unit/dpf/pcap_test.c unit/dpf/lifted.c unit/dpf/gen.c ${dpflift_sources}
                LIBRARIES dpf pcap)
aegis_unit_test(dpf_trie_test SOURCES unit/dpf/trie_test.c unit/dpf/gen.c LIBRARIES dpf)
aegis_unit_test(dpf_walk_test SOURCES unit/dpf/walk_test.c unit/dpf/lifted.c unit/dpf/gen.c ${dpflift_sources}
                LIBRARIES dpf pcap)
aegis_unit_test(dpf_verify_test SOURCES unit/dpf/verify_test.c unit/dpf/gen.c LIBRARIES dpf)
aegis_unit_test(dpf_lift_test SOURCES unit/dpf/lift_test.c unit/dpf/lifted.c unit/dpf/gen.c ${dpflift_sources}
                LIBRARIES dpf pcap)

set(dpf_sources verify match make ask facts walk paths treap trie table classify)
list(TRANSFORM dpf_sources REPLACE "(.+)" "${CMAKE_SOURCE_DIR}/src/dpf/\\1.c")
aegis_fuzz_target(dpf_image_fuzz SOURCES fuzz/dpf/image.c ${dpf_sources} RUNS 10000 MAX_LEN 2048)
aegis_fuzz_target(dpf_ddd_fuzz SOURCES fuzz/dpf/ddd.c ${dpf_sources} ${dpflift_sources} LIBRARIES pcap
                  RUNS 10000 MAX_LEN 300)
