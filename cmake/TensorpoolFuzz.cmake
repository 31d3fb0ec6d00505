# Fuzz targets. With TENSORPOOL_FUZZ (preset asan, clang) each is a libFuzzer binary and its test a short run; in every
# other preset it is a program that replays the corpus and seeded mutations of it, so that the targets never rot.
# Label: fuzz-smoke.

# tensorpool_fuzz(<name> SOURCES <file>... [USES <layer>...] [LINK <target>...] [GOLDEN <file>...] [GOLDEN_LINES <file>...]
#                 [MUST_CRASH])
# A source defines `int fuzz_<name>(std::span<const std::byte>)`. The corpus is fuzz/corpus/<name>/, if it exists (crashes
# that were found and fixed), the bytes of the vectors of GOLDEN and, as text, the lines of GOLDEN_LINES, both files of
# tests/golden.
function(tensorpool_fuzz name)
  cmake_parse_arguments(arg "MUST_CRASH" "" "SOURCES;USES;LINK;GOLDEN;GOLDEN_LINES" ${ARGN})
  set(target "fuzz_${name}")
  set(harness "${PROJECT_SOURCE_DIR}/fuzz/harness")
  add_executable(${target} ${arg_SOURCES}
    $<IF:$<BOOL:${TENSORPOOL_FUZZ}>,${harness}/libfuzzer.cpp,${harness}/replay.cpp>)
  add_dependencies(fuzzers ${target})
  target_compile_definitions(${target} PRIVATE "TP_FUZZ_TARGET=${target}")
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/fuzz")
  list(TRANSFORM arg_USES PREPEND tensorpool_)
  target_link_libraries(${target} PRIVATE tensorpool_flags tensorpool_base ${arg_USES} ${arg_LINK})
  target_compile_options(${target} PRIVATE ${TENSORPOOL_FUZZ_OPTIONS})
  if(TENSORPOOL_FUZZ)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  endif()

  set(corpus "${CMAKE_BINARY_DIR}/fuzz/corpus/${name}")
  file(MAKE_DIRECTORY "${corpus}")
  list(TRANSFORM arg_GOLDEN PREPEND "${PROJECT_SOURCE_DIR}/tests/golden/")
  list(TRANSFORM arg_GOLDEN_LINES PREPEND "${PROJECT_SOURCE_DIR}/tests/golden/")
  foreach(kind GOLDEN GOLDEN_LINES)
    foreach(golden IN LISTS arg_${kind})
      add_custom_command(TARGET ${target} POST_BUILD
        COMMAND fuzz_seeds $<IF:$<STREQUAL:${kind},GOLDEN>,hex,lines> "${golden}" "${corpus}" VERBATIM)
      add_dependencies(${target} fuzz_seeds)
    endforeach()
  endforeach()
  set(inputs "${corpus}")
  if(EXISTS "${PROJECT_SOURCE_DIR}/fuzz/corpus/${name}")
    list(APPEND inputs "${PROJECT_SOURCE_DIR}/fuzz/corpus/${name}")
  endif()

  set(run $<TARGET_FILE:${target}> ${inputs})
  if(TENSORPOOL_FUZZ)
    set(run $<TARGET_FILE:${target}> -seed=1 -runs=200000 -max_total_time=20 -timeout=10 -rss_limit_mb=2048
      "-artifact_prefix=${CMAKE_BINARY_DIR}/fuzz/${name}-" ${inputs})
  endif()
  if(arg_MUST_CRASH)
    set(run "${CMAKE_COMMAND}" -P "${harness}/must_crash.cmake" ${run})
  endif()
  add_test(NAME ${target} COMMAND ${run})
  set_tests_properties(${target} PROPERTIES TIMEOUT 120)
  tensorpool_label(${target} fuzz-smoke)
endfunction()
