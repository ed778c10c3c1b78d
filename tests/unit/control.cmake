# The control protocol: each layer by its own test, and fuzzed with a proof of resynchronisation in it.
aegis_unit_test(control_frame_test SOURCES unit/control/frame_test.c LIBRARIES control)
aegis_unit_test(control_message_test SOURCES unit/control/message_test.c LIBRARIES control)
aegis_unit_test(control_fields_test SOURCES unit/control/fields_test.c LIBRARIES control)
set(control_sources ../src/control/crc32.c ../src/control/frame.c ../src/control/message.c ../src/control/fields.c)
aegis_fuzz_target(control_receive_fuzz SOURCES fuzz/control/receive.c ${control_sources} RUNS 3000)
aegis_fuzz_target(control_fields_fuzz SOURCES fuzz/control/fields.c ${control_sources})
