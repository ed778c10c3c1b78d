# The kernel's own files, compiled for the host: unit/shim stands before src in the include path and replaces
# what only RISC-V has (unit/shim/host.h). A static library, so that each test links what it calls and no more.
set(kernel_dir ${CMAKE_SOURCE_DIR}/src/kernel)
set(kernel_sources)
foreach(name arena boot_memory cap classify entropy env expose fpu map netif page ring rx siphash slice tap tx upcall
        user wake drivers/virtio drivers/virtio_net rv64/paging)
  list(APPEND kernel_sources ${kernel_dir}/${name}.c)
endforeach()
add_library(kernel_host STATIC ${kernel_sources} unit/shim/host.c unit/kernel/random.c unit/kernel/world.c
            unit/kernel/invariants.c unit/kernel/device.c)
target_include_directories(kernel_host BEFORE PUBLIC unit/shim)
target_compile_options(kernel_host PRIVATE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
target_link_libraries(kernel_host PUBLIC abi PRIVATE dpf)

# kernel_unit_test(NAME SOURCES...): unit/kernel/NAME_test.c and more sources against that library.
function(kernel_unit_test name)
  aegis_unit_test(kernel_${name}_test SOURCES unit/kernel/${name}_test.c ${ARGN} LIBRARIES kernel_host)
  target_include_directories(kernel_${name}_test BEFORE PRIVATE unit/shim)
endfunction()

foreach(name siphash arena boot_memory page user cap map map_model virtio)
  kernel_unit_test(${name})
endforeach()
