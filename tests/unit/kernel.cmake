# The kernel's own files, compiled for the host: unit/shim stands before src in the include path and replaces
# what only RISC-V has (unit/shim/host.h). A static library, so that each test links what it calls and no more.
set(kernel_dir ${CMAKE_SOURCE_DIR}/src/kernel)
set(kernel_sources)
foreach(name abort arena boot_memory cap charge classify codegen disk disk_submit entropy env env_end event expose extent extent_call extent_table fpu gate handler handler_load inherit loop map map_batch map_call map_own map_place map_share map_window net_bind net_compare net_end net_give netif page post quota revoke ring rx schedule slice slice_round tap turn tx upcall
        user wake drivers/virtio drivers/virtio_blk drivers/virtio_console drivers/virtio_net rv64/paging)
  list(APPEND kernel_sources ${kernel_dir}/${name}.c)
endforeach()
add_library(kernel_host STATIC ${kernel_sources} unit/shim/host.c unit/kernel/random.c unit/kernel/world.c
            unit/kernel/invariants.c unit/kernel/device.c unit/kernel/disks.c unit/kernel/net.c)
target_include_directories(kernel_host BEFORE PUBLIC unit/shim)
target_compile_options(kernel_host PRIVATE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
target_link_libraries(kernel_host PUBLIC abi PRIVATE siphash extent dpf ash)

# kernel_unit_test(NAME SOURCES... [ARGUMENTS ...]): unit/kernel/NAME_test.c and more sources against that library.
function(kernel_unit_test name)
  aegis_unit_test(kernel_${name}_test SOURCES unit/kernel/${name}_test.c ${ARGN} LIBRARIES kernel_host)
  target_include_directories(kernel_${name}_test BEFORE PRIVATE unit/shim)
endfunction()

foreach(name console disk extent siphash arena boot_memory page user cap gate map ring netif netif_model loop)
  kernel_unit_test(${name})
endforeach()
foreach(name blk virtio virtq)
  kernel_unit_test(${name} unit/kernel/slot.c)
endforeach()
foreach(name frames_in frames_out)
  kernel_unit_test(${name} unit/kernel/frames.c)
endforeach()
kernel_unit_test(map_model unit/kernel/map_model.c)

# The device tree's reader, with libfdt as the kernel has it and what edits trees besides. libfdt reads fields at any
# address, byte by byte.
include(libfdt)
set_target_properties(libfdt PROPERTIES EXCLUDE_FROM_ALL ON)
set(libfdt_sources)
foreach(part "" _ro _addresses _rw _wip _strerror)
  list(APPEND libfdt_sources ${fdt}/fdt${part}.c)
endforeach()
add_library(libfdt_host STATIC ${libfdt_sources})
target_include_directories(libfdt_host PUBLIC ${fdt})
target_compile_options(libfdt_host PRIVATE -Wno-sign-compare -Wno-missing-prototypes -fsanitize=address,undefined
                       -fno-sanitize=alignment -fno-sanitize-recover=all)
find_program(AEGIS_DTC dtc REQUIRED)
find_program(AEGIS_QEMU qemu-system-riscv64 REQUIRED)
set(board ${CMAKE_CURRENT_SOURCE_DIR}/unit/kernel/board.dts)
add_custom_command(OUTPUT board.dtb COMMAND ${AEGIS_DTC} -q -I dts -O dtb -o board.dtb ${board} DEPENDS ${board})
add_custom_command(OUTPUT qemu.dtb
  COMMAND ${AEGIS_QEMU} -machine virt,dumpdtb=qemu.dtb -smp 2 -m 96 -nodefaults -display none 2>qemu.dtb.log)
add_custom_target(kernel_trees ALL DEPENDS board.dtb qemu.dtb)
set(board_sources unit/kernel/board_read.c ${kernel_dir}/rv64/board.c)
kernel_unit_test(board ${board_sources} ARGUMENTS board.dtb qemu.dtb)
kernel_unit_test(board_edit ${board_sources} ARGUMENTS board.dtb)
target_link_libraries(kernel_board_test PRIVATE libfdt_host)
target_link_libraries(kernel_board_edit_test PRIVATE libfdt_host)

# Its seed: the good tree behind a byte that says to take it as it is.
add_custom_command(OUTPUT board.seed COMMAND printf 5 > board.seed COMMAND cat board.dtb >> board.seed
  DEPENDS board.dtb VERBATIM)
add_custom_target(kernel_board_seed ALL DEPENDS board.seed)
aegis_fuzz_target(kernel_board_fuzz
  SOURCES fuzz/kernel/board.c fuzz/kernel/libfdt.c unit/shim/host.c ${kernel_dir}/rv64/board.c ${kernel_dir}/boot_memory.c
  INCLUDES ${CMAKE_CURRENT_SOURCE_DIR}/unit/shim ${CMAKE_CURRENT_SOURCE_DIR}/unit/kernel ${fdt}
  MAX_LEN 8192 RUNS 4000 CORPUS -seed_inputs=board.seed)
