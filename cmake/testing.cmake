# gcc's tracking of variables for the debugger takes minutes on some files under sanitizers, so it is off.
set(AEGIS_CHECKED_OPTIONS -O1 -fno-var-tracking -fsanitize=address,undefined -fno-sanitize-recover=all
    -fno-omit-frame-pointer)

# aegis_checked(LIBRARY): LIBRARY_checked, a free-standing library compiled under ASan and UBSan once for all tests.
function(aegis_checked library)
  if(TARGET ${library}_checked)
    return()
  endif()
  get_target_property(sources ${library} INTERFACE_SOURCES)
  get_target_property(links ${library} INTERFACE_LINK_LIBRARIES)
  add_library(${library}_checked STATIC ${sources})
  target_compile_options(${library}_checked PRIVATE ${AEGIS_CHECKED_OPTIONS})
  target_link_libraries(${library}_checked PUBLIC abi)
  foreach(link ${links})
    if(NOT TARGET ${link}) # links-NOTFOUND
      continue()
    endif()
    get_target_property(linked ${link} INTERFACE_SOURCES)
    if(linked)
      aegis_checked(${link})
      target_link_libraries(${library}_checked PUBLIC ${link}_checked)
    else()
      target_link_libraries(${library}_checked PUBLIC ${link})
    endif()
  endforeach()
endfunction()

# aegis_unit_test(NAME SOURCES... [LIBRARIES libs...] [ARGUMENTS args...] [TIMEOUT s]): a cmocka program under ASan and
# UBSan, run by ctest. Free-standing libraries among libs are compiled once for all tests.
function(aegis_unit_test name)
  cmake_parse_arguments(t "" "TIMEOUT" "SOURCES;LIBRARIES;ARGUMENTS" ${ARGN})
  add_executable(${name} ${t_SOURCES})
  target_compile_options(${name} PRIVATE ${AEGIS_CHECKED_OPTIONS})
  target_link_options(${name} PRIVATE -fsanitize=address,undefined)
  foreach(library ${t_LIBRARIES})
    if(TARGET ${library})
      get_target_property(sources ${library} INTERFACE_SOURCES)
      get_target_property(type ${library} TYPE)
      if(sources AND type STREQUAL "INTERFACE_LIBRARY")
        aegis_checked(${library})
        set(library ${library}_checked)
      endif()
    endif()
    target_link_libraries(${name} PRIVATE ${library})
  endforeach()
  target_link_libraries(${name} PRIVATE abi cmocka)
  add_test(NAME ${name} COMMAND ${name} ${t_ARGUMENTS})
  if(NOT t_TIMEOUT)
    set(t_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${t_TIMEOUT})
endfunction()

# aegis_test_library(NAME SOURCES... [LIBRARIES libs...]): what several unit tests share, compiled as they are, once. What
# it calls of LIBRARIES comes from those that the tests name.
function(aegis_test_library name)
  cmake_parse_arguments(l "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_library(${name} STATIC ${l_SOURCES})
  target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
  target_compile_options(${name} PRIVATE ${AEGIS_CHECKED_OPTIONS})
  target_link_libraries(${name} PUBLIC abi ${l_LIBRARIES})
endfunction()

# aegis_fuzz_object(SOURCE INCLUDES VAR [DEPENDS...]): into VAR the object of a source compiled for libFuzzer; made once for
# all targets that compile it with the same INCLUDES. DEPENDS: files that it takes in and no depfile names.
find_program(AEGIS_CLANG clang REQUIRED)
set(AEGIS_FUZZ_OPTIONS -std=gnu17 -g -O1 -Wall -Wextra -Werror -fsanitize=fuzzer-no-link,address,undefined
    -fno-sanitize-recover=all)
function(aegis_fuzz_object source includes var)
  string(SHA1 key "${source} ${includes}")
  string(SUBSTRING ${key} 0 12 key)
  get_filename_component(stem ${source} NAME_WE)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/fuzz_objects/${stem}-${key}.o)
  set(${var} ${object} PARENT_SCOPE)
  get_property(made GLOBAL PROPERTY aegis_fuzz_objects)
  if(object IN_LIST made)
    return()
  endif()
  set_property(GLOBAL APPEND PROPERTY aegis_fuzz_objects ${object})
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/fuzz_objects)
  add_custom_command(OUTPUT ${object}
    COMMAND ${CMAKE_C_COMPILER_LAUNCHER} ${AEGIS_CLANG} ${AEGIS_FUZZ_OPTIONS} ${includes} -I${CMAKE_SOURCE_DIR}/src
            -MD -MF ${object}.d -c ${source} -o ${object}
    DEPENDS ${source} ${ARGN} DEPFILE ${object}.d VERBATIM)
endfunction()

# aegis_fuzz_target(NAME SOURCES... [INCLUDES folders...] [DEPENDS files...] [LIBRARIES libs...] [LONG]): a libFuzzer program
# built by clang; ctest runs it for a bounded number of inputs with a fixed seed, LONG: of any length from the first on. By
# hand: <build>/tests/NAME -max_total_time=600.
# Free-standing libraries need no INCLUDES, so all targets share what is compiled of them.
set(AEGIS_FUZZ_RUNS 20000 CACHE STRING "inputs a fuzz target tries in the suite")
function(aegis_fuzz_target name)
  cmake_parse_arguments(f "LONG" "RUNS;MAX_LEN;CORPUS" "SOURCES;INCLUDES;LIBRARIES;DEPENDS" ${ARGN})
  list(TRANSFORM f_INCLUDES PREPEND -I OUTPUT_VARIABLE includes)
  list(TRANSFORM f_LIBRARIES PREPEND -l)
  set(objects)
  foreach(s ${f_SOURCES})
    get_filename_component(source ${s} ABSOLUTE)
    if(source MATCHES "/src/(ash|dpf|vcode)/")
      aegis_fuzz_object(${source} "" object)
    else()
      aegis_fuzz_object(${source} "${includes}" object ${f_DEPENDS})
    endif()
    list(APPEND objects ${object})
  endforeach()
  add_custom_command(OUTPUT ${name}
    COMMAND ${AEGIS_CLANG} -fsanitize=fuzzer,address,undefined ${objects} ${f_LIBRARIES} -o ${name}
    DEPENDS ${objects} VERBATIM)
  add_custom_target(${name}_target ALL DEPENDS ${name})
  if(NOT f_RUNS)
    set(f_RUNS ${AEGIS_FUZZ_RUNS})
  endif()
  if(NOT f_MAX_LEN)
    set(f_MAX_LEN 4096)
  endif()
  set(options)
  if(f_LONG)
    set(options -len_control=0)
  endif()
  add_test(NAME ${name} COMMAND ${CMAKE_CURRENT_BINARY_DIR}/${name} -seed=1 -runs=${f_RUNS} -max_len=${f_MAX_LEN}
           -timeout=10 -rss_limit_mb=1024 ${options} ${f_CORPUS} WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300)
endfunction()

# aegis_riscv64_test(NAME SOURCES ... [LIBRARIES libs...] [ARGUMENTS ...]): a static RV64 Linux program, so that emitted
# code runs in it, under qemu-riscv64. LIBRARIES: free-standing ones. It prints what is wrong, and exits 1.
find_program(AEGIS_RISCV64_LINUX_GCC riscv64-linux-gnu-gcc REQUIRED)
find_program(AEGIS_QEMU_RISCV64 qemu-riscv64 REQUIRED)
function(aegis_riscv64_test name)
  cmake_parse_arguments(r "" "TIMEOUT" "SOURCES;LIBRARIES;ARGUMENTS" ${ARGN})
  set(sources)
  foreach(s ${r_SOURCES})
    get_filename_component(a ${s} ABSOLUTE)
    list(APPEND sources ${a})
  endforeach()
  set(libraries ${r_LIBRARIES})
  while(libraries) # and what they link
    list(POP_FRONT libraries l)
    get_target_property(more ${l} INTERFACE_LINK_LIBRARIES)
    get_target_property(own ${l} INTERFACE_SOURCES)
    if(more)
      list(APPEND libraries ${more})
    endif()
    if(own)
      list(APPEND sources ${own})
    endif()
  endwhile()
  list(REMOVE_DUPLICATES sources)
  file(GLOB_RECURSE headers ${CMAKE_SOURCE_DIR}/src/*.h ${CMAKE_SOURCE_DIR}/src/*.def ${CMAKE_CURRENT_SOURCE_DIR}/unit/*.h)
  add_custom_command(OUTPUT ${name}
    COMMAND ${AEGIS_RISCV64_LINUX_GCC} -static -std=gnu17 -D_GNU_SOURCE -g -O2 -Wall -Wextra -Werror -I${CMAKE_SOURCE_DIR}/src
            ${sources} -o ${name}
    DEPENDS ${sources} ${headers} COMMAND_EXPAND_LISTS VERBATIM)
  add_custom_target(${name}_target ALL DEPENDS ${name})
  add_test(NAME ${name} COMMAND ${AEGIS_QEMU_RISCV64} -cpu rv64 ${CMAKE_CURRENT_BINARY_DIR}/${name} ${r_ARGUMENTS})
  if(NOT r_TIMEOUT)
    set(r_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${r_TIMEOUT})
endfunction()
