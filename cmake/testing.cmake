# aegis_unit_test(NAME SOURCES... [LIBRARIES libs...]): a cmocka program under ASan and UBSan, run by ctest.
function(aegis_unit_test name)
  cmake_parse_arguments(t "" "TIMEOUT" "SOURCES;LIBRARIES;ARGUMENTS" ${ARGN})
  add_executable(${name} ${t_SOURCES})
  target_compile_options(${name} PRIVATE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(${name} PRIVATE -fsanitize=address,undefined)
  target_link_libraries(${name} PRIVATE abi ${t_LIBRARIES} cmocka)
  add_test(NAME ${name} COMMAND ${name} ${t_ARGUMENTS})
  if(NOT t_TIMEOUT)
    set(t_TIMEOUT 60)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${t_TIMEOUT})
endfunction()

# aegis_fuzz_target(NAME SOURCES... [LIBRARIES libs...]): a libFuzzer program built by clang; ctest runs it for a
# bounded number of inputs with a fixed seed. By hand: <build>/tests/NAME -max_total_time=600.
find_program(AEGIS_CLANG clang REQUIRED)
set(AEGIS_FUZZ_RUNS 20000 CACHE STRING "inputs a fuzz target tries in the suite")
function(aegis_fuzz_target name)
  cmake_parse_arguments(f "" "RUNS;MAX_LEN;CORPUS" "SOURCES;INCLUDES;LIBRARIES" ${ARGN})
  set(sources)
  foreach(s ${f_SOURCES})
    get_filename_component(a ${s} ABSOLUTE)
    list(APPEND sources ${a})
  endforeach()
  list(TRANSFORM f_INCLUDES PREPEND -I OUTPUT_VARIABLE includes)
  list(TRANSFORM f_LIBRARIES PREPEND -l)
  file(GLOB_RECURSE headers ${CMAKE_SOURCE_DIR}/src/*.h ${CMAKE_SOURCE_DIR}/src/*.def)
  add_custom_command(OUTPUT ${name}
    COMMAND ${AEGIS_CLANG} -std=gnu17 -g -O1 -Wall -Wextra -Werror -fsanitize=fuzzer,address,undefined
            -fno-sanitize-recover=all ${includes} -I${CMAKE_SOURCE_DIR}/src ${sources} ${f_LIBRARIES} -o ${name}
    DEPENDS ${sources} ${headers} VERBATIM)
  add_custom_target(${name}_target ALL DEPENDS ${name})
  if(NOT f_RUNS)
    set(f_RUNS ${AEGIS_FUZZ_RUNS})
  endif()
  if(NOT f_MAX_LEN)
    set(f_MAX_LEN 4096)
  endif()
  add_test(NAME ${name} COMMAND ${CMAKE_CURRENT_BINARY_DIR}/${name} -seed=1 -runs=${f_RUNS} -max_len=${f_MAX_LEN}
           -timeout=10 -rss_limit_mb=1024 ${f_CORPUS} WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  set_tests_properties(${name} PROPERTIES TIMEOUT 120)
endfunction()

# aegis_riscv64_test(NAME SOURCES ... [LIBRARIES libs...] [ARGUMENTS ...]): a static RV64 Linux program, so that emitted
# code runs in it, under qemu-riscv64. LIBRARIES: free-standing ones, each by name. It prints what is wrong, and exits 1.
find_program(AEGIS_RISCV64_LINUX_GCC riscv64-linux-gnu-gcc REQUIRED)
find_program(AEGIS_QEMU_RISCV64 qemu-riscv64 REQUIRED)
function(aegis_riscv64_test name)
  cmake_parse_arguments(r "" "TIMEOUT" "SOURCES;LIBRARIES;ARGUMENTS" ${ARGN})
  set(sources)
  foreach(s ${r_SOURCES})
    get_filename_component(a ${s} ABSOLUTE)
    list(APPEND sources ${a})
  endforeach()
  foreach(l ${r_LIBRARIES})
    list(APPEND sources $<TARGET_PROPERTY:${l},INTERFACE_SOURCES>)
  endforeach()
  file(GLOB_RECURSE headers ${CMAKE_SOURCE_DIR}/src/*.h ${CMAKE_SOURCE_DIR}/src/*.def ${CMAKE_CURRENT_SOURCE_DIR}/unit/*.h)
  add_custom_command(OUTPUT ${name}
    COMMAND ${AEGIS_RISCV64_LINUX_GCC} -static -std=gnu17 -g -O2 -Wall -Wextra -Werror -I${CMAKE_SOURCE_DIR}/src
            ${sources} -o ${name}
    DEPENDS ${sources} ${headers} COMMAND_EXPAND_LISTS VERBATIM)
  add_custom_target(${name}_target ALL DEPENDS ${name})
  add_test(NAME ${name} COMMAND ${AEGIS_QEMU_RISCV64} -cpu rv64 ${CMAKE_CURRENT_BINARY_DIR}/${name} ${r_ARGUMENTS})
  if(NOT r_TIMEOUT)
    set(r_TIMEOUT 60)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${r_TIMEOUT})
endfunction()
