# What aegisctl post and aegisctl symbols read: a machine's memory and a kernel's ELF file, neither of which is trusted.
set(ctl ${CMAKE_SOURCE_DIR}/src/tools/aegisctl)
set(post_sources ${ctl}/ram.c ${ctl}/memory.c ${ctl}/elf_file.c ${ctl}/why.c)
aegis_unit_test(post_memory_test SOURCES unit/post/memory_test.c ${post_sources} ${ctl}/ram_file.c ${ctl}/elf_write.c)
target_compile_definitions(post_memory_test PRIVATE _GNU_SOURCE)
aegis_fuzz_target(post_elf_fuzz SOURCES fuzz/post/elf.c ${ctl}/elf_file.c ${ctl}/why.c RUNS 5000)
aegis_fuzz_target(post_print_fuzz SOURCES fuzz/post/print.c ${ctl}/post_tables.c ${ctl}/post_trace.c ${ctl}/post_text.c
  ${post_sources} RUNS 300)
