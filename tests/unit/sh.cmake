# The program sh on the host: its parser and editor alone, and all of it beside the host's own shell.
set(sh_dir ${CMAKE_SOURCE_DIR}/src/apps/sh)
set(sh_parser ${sh_dir}/parse.c ${sh_dir}/parse_compound.c ${sh_dir}/lex.c ${sh_dir}/expand.c ${sh_dir}/parameter.c
  ${sh_dir}/files.c ${sh_dir}/pattern.c ${sh_dir}/arithmetic.c)
set(sh_editor ${sh_dir}/edit.c ${sh_dir}/edit_history.c ${sh_dir}/edit_show.c)
aegis_unit_test(sh_parse_test SOURCES unit/sh/parse_test.c unit/sh/tree.c ${sh_parser})
aegis_unit_test(sh_edit_test SOURCES unit/sh/edit_test.c unit/sh/screen.c ${sh_editor})
target_include_directories(sh_parse_test PRIVATE ${sh_dir})
target_include_directories(sh_edit_test PRIVATE ${sh_dir})
aegis_fuzz_target(sh_parse_fuzz SOURCES fuzz/sh_parse.c unit/sh/tree.c ${sh_parser}
  INCLUDES ${sh_dir} ${CMAKE_CURRENT_SOURCE_DIR}/unit/sh)

add_executable(sh_host ${sh_parser} ${sh_editor} ${sh_dir}/main.c ${sh_dir}/input.c ${sh_dir}/run.c ${sh_dir}/pipeline.c
  ${sh_dir}/jobs.c ${sh_dir}/redirect.c ${sh_dir}/vars.c ${sh_dir}/builtins.c ${sh_dir}/builtins_more.c ${sh_dir}/test.c
  ${sh_dir}/functions.c ${sh_dir}/substitute.c ${sh_dir}/names.c ${sh_dir}/signals.c)
target_compile_definitions(sh_host PRIVATE _GNU_SOURCE)
target_compile_options(sh_host PRIVATE ${AEGIS_CHECKED_OPTIONS})
target_link_options(sh_host PRIVATE -fsanitize=address,undefined)
add_test(NAME sh_host_test COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/unit/sh/host_test.py $<TARGET_FILE:sh_host>)
set_tests_properties(sh_host_test PROPERTIES TIMEOUT 300)
