// The guest's composition root: what process 1 of the lab's virtual machine can be asked to do.
#pragma once

namespace pointsman {
[[noreturn]] void run_guest();
}
