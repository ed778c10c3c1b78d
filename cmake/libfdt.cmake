# libfdt from the dtc 1.7.2 release, fetched and checked by ci/fetch, built in with the kernel's flags.
include(fetched)
fetched_sources(AEGIS_DTC_DIR dtc "dtc 1.7.2")
set(fdt ${AEGIS_DTC_DIR}/libfdt)
add_library(libfdt OBJECT ${fdt}/fdt.c ${fdt}/fdt_ro.c ${fdt}/fdt_addresses.c)
target_include_directories(libfdt PUBLIC ${fdt})
target_compile_options(libfdt PRIVATE -Wno-sign-compare -Wno-missing-prototypes)
