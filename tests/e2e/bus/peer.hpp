// Starts bus_peer and talks to it. TP_BUS_PEER is its path.
#pragma once

#include <initializer_list>
#include <string>

#include "support/child_process.hpp"

namespace tensorpool::bus::testing {

class Peer : public test::ChildProcess {
 public:
  Peer(std::initializer_list<std::string> arguments) : ChildProcess(TP_BUS_PEER, arguments) {}
};

}  // namespace tensorpool::bus::testing
