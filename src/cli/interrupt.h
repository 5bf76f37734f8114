// Interrupt: Ctrl-C as a file that becomes readable, so that what is under way ends in order: the machine is ended, the ledger's transaction finishes, one line is said.
#pragma once

namespace pointsman {

// From the first call on, SIGINT, SIGTERM and SIGHUP (those that are not ignored) no longer end the process; the descriptor that this returns becomes and stays readable instead. Call it before the first
// thread is made. -1 when the kernel does not allow it: then the signals do what they always did.
int interrupt_fd();

// For loops that sleep until a moment: from now on SIGINT and SIGTERM end the sleep that is under way and are remembered.
void remember_interrupts();
bool interrupted();

}  // namespace pointsman
