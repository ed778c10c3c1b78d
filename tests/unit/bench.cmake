# What the bench is made of that reads frames: the limit's answers and the client's verdicts, against each other.
set(bench_frames ${CMAKE_SOURCE_DIR}/bench/limit/frame.c ${CMAKE_SOURCE_DIR}/bench/client/wire.c)
aegis_unit_test(bench_frames_test SOURCES unit/bench_frames_test.c ${bench_frames})
target_include_directories(bench_frames_test PRIVATE ${CMAKE_SOURCE_DIR})
aegis_fuzz_target(bench_frames_fuzz SOURCES fuzz/bench_frames.c ${bench_frames} INCLUDES ${CMAKE_SOURCE_DIR} MAX_LEN 1600)
