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

# toml++, all of it in headers. Seen through a link of its own: a cross compiler must not see what lies beside it.
find_path(TOMLPLUSPLUS_INCLUDE_DIR toml++/toml.h)
if(NOT TOMLPLUSPLUS_INCLUDE_DIR)
  message(FATAL_ERROR "toml++/toml.h not found: install libtomlplusplus-dev, or run `make build`, which does it")
endif()
add_library(tensorpool_tomlplusplus INTERFACE)
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/generated/tomlplusplus")
file(CREATE_LINK "${TOMLPLUSPLUS_INCLUDE_DIR}/toml++" "${CMAKE_BINARY_DIR}/generated/tomlplusplus/toml++" SYMBOLIC)
target_include_directories(tensorpool_tomlplusplus SYSTEM INTERFACE "${CMAKE_BINARY_DIR}/generated/tomlplusplus")

find_package(Threads REQUIRED)

# Without Aeron there is no src/bus and nothing above it.
if(TENSORPOOL_AERON STREQUAL "none")
  return()
endif()

# Aeron (C client and C media driver), linked statically into what we build. bundled: what tools/setup has built, from
# the pinned source or from the tree that TENSORPOOL_AERON_SOURCE names; system: an installed CMake package, found
# through aeron_DIR or CMAKE_PREFIX_PATH.
if(TENSORPOOL_AERON STREQUAL "bundled")
  find_package(aeron 1.50 CONFIG QUIET PATHS "${TENSORPOOL_DEPS_DIR}/aeron" NO_DEFAULT_PATH)
  set(hint "run `make build`, which builds it, or use -DTENSORPOOL_AERON=system")
elseif(TENSORPOOL_AERON STREQUAL "system")
  find_package(aeron 1.50 CONFIG QUIET)
  set(hint "set aeron_DIR or CMAKE_PREFIX_PATH, or use -DTENSORPOOL_AERON=bundled")
else()
  message(FATAL_ERROR "TENSORPOOL_AERON is bundled, system or none, not ${TENSORPOOL_AERON}")
endif()
if(NOT TARGET aeron::aeron_driver_static)
  message(FATAL_ERROR "Aeron 1.50 or later with a static media driver not found: ${hint}")
endif()
# The driver's archive contains the client. Linked by src/bus alone, so nobody else sees Aeron's headers.
add_library(tensorpool_aeron INTERFACE)
target_link_libraries(tensorpool_aeron INTERFACE aeron::aeron_driver_static Threads::Threads)
