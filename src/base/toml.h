// toml++ as this project uses it: errors are values. One place, since every file that includes it must have the same definitions.
#pragma once

#define TOML_EXCEPTIONS 0
// What its parser asserts a file may break ("[" and a line's end), and it reports that on the next line: a person's typing must not end the process.
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>
