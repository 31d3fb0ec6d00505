# Cross build for aarch64 with Debian's compiler; programs of the build and tests run under qemu (make test-aarch64).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
# Static, since qemu would look for a dynamic linker, and then for every absolute path, in a root of its own.
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_CXX_FLAGS_INIT -DTP_COUNT_ALLOCATIONS=0)  # tests/support/allocations.hpp
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)

# GoogleTest and RapidCheck for aarch64, unpacked there by tools/setup; headers without code come from this machine.
if(DEFINED ENV{TENSORPOOL_DEPS_DIR})
  set(CMAKE_FIND_ROOT_PATH "$ENV{TENSORPOOL_DEPS_DIR}/aarch64")
else()
  set(CMAKE_FIND_ROOT_PATH "${CMAKE_CURRENT_LIST_DIR}/../../.deps/aarch64")
endif()
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
