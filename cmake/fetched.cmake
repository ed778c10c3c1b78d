# fetched_sources(VARIABLE NAME WHAT): VARIABLE is the folder of unpacked sources: what the user set, or what ci/fetch NAME
# gets through apt and checks. WHAT names them with their version.
function(fetched_sources variable name what)
  set(${variable} "" CACHE PATH "unpacked ${what} sources; empty: fetched through apt")
  if(NOT ${variable})
    execute_process(COMMAND ${CMAKE_SOURCE_DIR}/ci/fetch ${name} OUTPUT_VARIABLE fetched
                    OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
      message(FATAL_ERROR "ci/fetch ${name} failed; or set ${variable} to unpacked ${what} sources")
    endif()
    set(${variable} ${fetched} CACHE PATH "" FORCE)
  endif()
endfunction()
