# DPF: the library by itself on random filters, and compiled filters against libpcap.
file(GLOB dpflift_sources ${CMAKE_SOURCE_DIR}/src/tools/dpfc/*.c)
list(FILTER dpflift_sources EXCLUDE REGEX "/(main|match|merge|print_code|print_trie)\\.c$") # the command's own
aegis_test_library(dpflift_checked SOURCES ${dpflift_sources})
aegis_test_library(dpf_gen SOURCES unit/dpf/gen.c)
aegis_test_library(dpf_lifted SOURCES unit/dpf/lifted.c LIBRARIES dpf_gen dpflift_checked pcap)
aegis_unit_test(dpf_pcap_test SOURCES unit/dpf/pcap_test.c LIBRARIES dpf_lifted dpf)
aegis_unit_test(dpf_trie_test SOURCES unit/dpf/trie_test.c LIBRARIES dpf_gen dpf)
aegis_unit_test(dpf_walk_test SOURCES unit/dpf/walk_test.c LIBRARIES dpf_lifted dpf)
aegis_unit_test(dpf_verify_test SOURCES unit/dpf/verify_test.c LIBRARIES dpf_gen dpf)
aegis_unit_test(dpf_lift_test SOURCES unit/dpf/lift_test.c LIBRARIES dpf_lifted dpf)

set(dpf_sources verify match make ask facts walk paths treap trie table classify)
list(TRANSFORM dpf_sources REPLACE "(.+)" "${CMAKE_SOURCE_DIR}/src/dpf/\\1.c")
aegis_fuzz_target(dpf_image_fuzz SOURCES fuzz/dpf/image.c ${dpf_sources} RUNS 10000 MAX_LEN 2048)
aegis_fuzz_target(dpf_ddd_fuzz SOURCES fuzz/dpf/ddd.c ${dpf_sources} ${dpflift_sources} LIBRARIES pcap
                  RUNS 10000 MAX_LEN 300)
