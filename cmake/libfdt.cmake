# libfdt from the dtc 1.7.2 release, fetched and checked by ci/fetch, built in with the kernel's flags.
set(AEGIS_DTC_DIR "" CACHE PATH "unpacked dtc 1.7.2 sources; empty: fetched through apt")
if(NOT AEGIS_DTC_DIR)
  execute_process(COMMAND ${CMAKE_SOURCE_DIR}/ci/fetch dtc OUTPUT_VARIABLE fetched
                  OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "ci/fetch dtc failed; or set AEGIS_DTC_DIR to unpacked dtc 1.7.2 sources")
  endif()
  set(AEGIS_DTC_DIR ${fetched} CACHE PATH "" FORCE)
endif()
set(fdt ${AEGIS_DTC_DIR}/libfdt)
add_library(libfdt OBJECT ${fdt}/fdt.c ${fdt}/fdt_ro.c ${fdt}/fdt_addresses.c)
target_include_directories(libfdt PUBLIC ${fdt})
target_compile_options(libfdt PRIVATE -Wno-sign-compare -Wno-missing-prototypes)
