#include "counting_new.hpp"

#include <cstdlib>
#include <new>

namespace {
tensorpool::test::Allocations total;
}

tensorpool::test::Allocations tensorpool::test::allocations() noexcept {
  return total;
}

void* operator new(std::size_t size) {
  ++total.calls;
  total.bytes += size;
  if (void* memory = std::malloc(size)) {
    return memory;
  }
  throw std::bad_alloc();
}
void* operator new[](std::size_t size) {
  return operator new(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
