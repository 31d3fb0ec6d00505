# Language level, warnings and sanitizers of every target of the project.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

# Usage: linked by every target of ours, never exported.
add_library(tensorpool_flags INTERFACE)
target_compile_options(tensorpool_flags INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wold-style-cast -Wnon-virtual-dtor -Wcast-align
  $<$<BOOL:${TENSORPOOL_WERROR}>:-Werror>
  $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wlogical-op>
  # Unique symbols cannot be made local (src/library), and keep a library that defines them from being unloaded.
  $<$<AND:$<BOOL:${TENSORPOOL_LIBRARY}>,$<COMPILE_LANG_AND_ID:CXX,GNU>>:-fno-gnu-unique>)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  # Baseline for every machine since 2009; wider vectors are chosen at run time (core/copy).
  target_compile_options(tensorpool_flags INTERFACE -march=x86-64-v2)
endif()

set(TENSORPOOL_SANITIZE "" CACHE STRING "Sanitizers, as given to -fsanitize=")
if(TENSORPOOL_SANITIZE)
  add_compile_options(-fsanitize=${TENSORPOOL_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${TENSORPOOL_SANITIZE})
  if(TENSORPOOL_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=all)
  endif()
endif()

# For what has to be built and not to be fast: tests and command lines. Takes a third off the time to wait in a release build, and half
# with AddressSanitizer, where the optimiser labours most. g++ 12 then warns of what it does not inline, and of what it inlines out of a
# precompiled header, as if that were ours and wrong.
set(TENSORPOOL_QUICK_FLAGS "")
if(CMAKE_BUILD_TYPE STREQUAL "Release" OR (CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND NOT TENSORPOOL_SANITIZE))
  set(TENSORPOOL_QUICK_FLAGS -O1)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(APPEND TENSORPOOL_QUICK_FLAGS -Wno-array-bounds -Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow)
  endif()
elseif(TENSORPOOL_SANITIZE MATCHES "address")
  set(TENSORPOOL_QUICK_FLAGS -O0)
endif()

option(TENSORPOOL_FUZZ "Build the fuzz targets with libFuzzer (clang)" OFF)
set(TENSORPOOL_FUZZ_OPTIONS $<$<BOOL:${TENSORPOOL_FUZZ}>:-fsanitize=fuzzer-no-link>)  # of what is fuzzed, not of tests
option(TENSORPOOL_COVERAGE "Instrument for coverage" OFF)
if(TENSORPOOL_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()

option(TENSORPOOL_KILLPOINTS "Points at which a process can be made to die (tests)" OFF)
if(TENSORPOOL_KILLPOINTS)
  add_compile_definitions(TP_KILLPOINTS)
endif()
