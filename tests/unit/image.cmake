# Readers of the initial RAM disk and of programs; the reader reads what the build's packer writes.
set(packed ${CMAKE_CURRENT_BINARY_DIR}/packed.cpio)
set(mkcpio ${CMAKE_SOURCE_DIR}/src/apps/mkcpio)
add_custom_command(OUTPUT ${packed}
  COMMAND printf x > packed.one
  COMMAND printf "\\0\\n\\0" > packed.three
  COMMAND ${mkcpio} ${packed} one=packed.one three=packed.three
  DEPENDS ${mkcpio} VERBATIM)
add_custom_target(image_packed ALL DEPENDS ${packed})
aegis_unit_test(image_cpio_test SOURCES unit/image_cpio_test.c LIBRARIES image ARGUMENTS ${packed})
aegis_unit_test(image_elf_test SOURCES unit/image_elf_test.c LIBRARIES image)
aegis_fuzz_target(image_cpio_fuzz SOURCES fuzz/image_cpio.c ${CMAKE_SOURCE_DIR}/src/image/cpio.c)
aegis_fuzz_target(image_elf_fuzz SOURCES fuzz/image_elf.c ${CMAKE_SOURCE_DIR}/src/image/elf.c)
