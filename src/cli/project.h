// Files that come with the project (kernel, models, data, scenarios): looked for from the working folder and from where this binary lies, upwards.
#pragma once

#include <string>

namespace pointsman {
std::string find_in_project(const std::string& relative);  // empty: not found
}
