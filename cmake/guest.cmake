# The guest's half of the tree, built with the same generator into <build>/guest: kernel.elf, initrd.cpio.
include(ExternalProject)
ExternalProject_Add(guest
  SOURCE_DIR ${CMAKE_SOURCE_DIR}
  BINARY_DIR ${CMAKE_BINARY_DIR}/guest
  CMAKE_ARGS -DCMAKE_TOOLCHAIN_FILE=${CMAKE_SOURCE_DIR}/cmake/riscv64.cmake
             -DAEGIS_ASHC=${CMAKE_BINARY_DIR}/bin/ashc # compiles programs' own handlers
  DEPENDS ashc
  BUILD_ALWAYS ON
  INSTALL_COMMAND ""
  USES_TERMINAL_BUILD ON)

# ExOS's compiler stands with the tools of the host.
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
file(CREATE_LINK ../guest/exos-cc ${CMAKE_BINARY_DIR}/bin/exos-cc SYMBOLIC)
