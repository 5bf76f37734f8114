// The catalogue as a page of documentation: docs/metrics.md is what this returns, and a test holds it to that.
#pragma once

#include <string>

namespace pointsman {

std::string catalogue_page();

}  // namespace pointsman
