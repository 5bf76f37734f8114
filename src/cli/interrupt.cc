#include "cli/interrupt.h"

#include <signal.h>
#include <sys/signalfd.h>

#include <csignal>
#include <initializer_list>

namespace pointsman {

namespace {

volatile std::sig_atomic_t remembered = 0;
void remember(int) { remembered = 1; }

}  // namespace

void remember_interrupts() {
  struct sigaction action {};
  action.sa_handler = remember;
  for (const int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
}

bool interrupted() { return remembered != 0; }

int interrupt_fd() {
  static const int fd = [] {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
      // Whoever started us with one of them ignored (nohup, a shell's background job) meant it; a blocked signal would be kept all the same.
      struct sigaction now {};
      if (::sigaction(signal, nullptr, &now) == 0 && now.sa_handler != SIG_IGN) sigaddset(&signals, signal);
    }
    const int made = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    // Blocked in this thread and all that it will make; nobody reads the descriptor, so it stays readable for everyone.
    if (made >= 0) ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    return made;
  }();
  return fd;
}

}  // namespace pointsman
