// Text on its way into HTML and SVG: whatever a name contains, it is shown and never obeyed.
#pragma once

#include <string>
#include <string_view>

namespace pointsman::report {

// Safe in text and in quoted attributes. Characters that XML does not allow, and malformed UTF-8, become U+FFFD.
std::string escape(std::string_view text);

// Prose for HTML: escaped; a number stays on one line with its percent sign or unit, and a hyphen before it becomes a minus sign.
std::string prose(std::string_view text);

// A leading hyphen before a digit becomes a minus sign, a lone hyphen (not known) a dash. For printed numbers only.
std::string typographic(std::string_view number);

// Letters, digits, '-' and '_' only; anything else becomes '-'. For ids and class names.
std::string identifier(std::string_view text);

}  // namespace pointsman::report
