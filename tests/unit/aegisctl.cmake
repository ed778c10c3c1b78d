# Parts of aegisctl that compute; the rest is tested as a program (tests/system).
set(aegisctl ${CMAKE_SOURCE_DIR}/src/tools/aegisctl)
aegis_unit_test(frame_text_test SOURCES unit/aegisctl/frame_text_test.c ${aegisctl}/frame_text.c)
aegis_unit_test(capture_clock_test SOURCES unit/aegisctl/capture_clock_test.c ${aegisctl}/capture_clock.c)
aegis_fuzz_target(frame_text_fuzz SOURCES fuzz/aegisctl/frame_text.c ${aegisctl}/frame_text.c MAX_LEN 200)
aegis_unit_test(histogram_test SOURCES unit/aegisctl/histogram_test.c ${aegisctl}/histogram.c)
