// Networked guest: the lab's kernel and image with a network card and the host's clock, in which this same binary serves experiments. Not exact: what it measures
// varies as a virtual machine's figures do. Its network leads nowhere but to one port of 127.0.0.1 on the host. Everything in it is memory: it ends without a trace.
// Errors: those of Machine; kBusy (the port is taken), kNotFound (a module that scripts/setup fetches).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/guest.h"
#include "lab/image.h"
#include "lab/machine.h"

namespace pointsman {

// The network card's modules, in order; ImageOptions::modules must have them.
const std::vector<std::string>& network_modules();
// A port of 127.0.0.1 that nobody listens on: PORT itself, or for 0 any. Errors: kBusy.
Result<uint16_t> free_port(uint16_t port);
// Whether the hardware's virtualisation can be had.
bool has_kvm();

class NetworkedGuest {
 public:
  struct Options {
    MachineOptions machine{};             // `networked` is set
    std::vector<std::string> words{};     // of the program that is to serve, as the guest sees it
    std::string token{};                  // into kTokenPath; empty: none
    bool pinned = false;                  // each virtual CPU to a CPU of the host, in turn
  };
  static constexpr const char* kTokenPath = "/run/token";
  static Result<NetworkedGuest> start(const Options& options, const Image& image);
  // Until its program ends or the machine's cancel_fd is readable (kInterrupted).
  Result<Unit> wait();

 private:
  NetworkedGuest(UniqueFd image, UniqueFd ram, Machine machine) : image_(std::move(image)), ram_(std::move(ram)), machine_(std::move(machine)) {}
  UniqueFd image_, ram_;
  Machine machine_;
};

// The guest's side: brings the network up, then runs the program to its end.
GuestJob serve_job();

}  // namespace pointsman
