// What must not be on the hot path; the test has to find all of it.
#include <stdexcept>
#include <vector>

namespace tensorpool::binary {

void grow(std::vector<int>& numbers) {
  numbers.push_back(1);
}
void refuse() {
  throw std::runtime_error("no");
}

}  // namespace tensorpool::binary
