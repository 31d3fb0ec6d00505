# Finds what tools/setup has put in place. Nothing is downloaded here: `make build` runs the set-up first.

set(TENSORPOOL_DEPS_DIR "$ENV{TENSORPOOL_DEPS_DIR}" CACHE PATH "Directory that tools/setup fills")
if(NOT TENSORPOOL_DEPS_DIR)
  set(TENSORPOOL_DEPS_DIR "${CMAKE_SOURCE_DIR}/.deps" CACHE PATH "Directory that tools/setup fills" FORCE)
endif()

# tl::expected, moved into our namespace so that an installed tensorpool and its user may hold different versions of it.
find_path(TL_EXPECTED_INCLUDE_DIR tl/expected.hpp)
if(NOT TL_EXPECTED_INCLUDE_DIR)
  message(FATAL_ERROR "tl/expected.hpp not found: install libexpected-dev, or run `make build`, which does it")
endif()
