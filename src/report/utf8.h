// UTF-8 as reports need it: what a text occupies on a terminal, and the same text made safe to show. Malformed bytes count and show as
// U+FFFD.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pointsman::report {

// The code point at `at`, which moves behind it. U+FFFD for a malformed sequence, of which one byte is taken. Requires at < text.size().
char32_t next_code_point(std::string_view text, size_t& at);
void append_code_point(std::string& out, char32_t c);

// Columns on a terminal: 0 for combining marks, 2 for East Asian wide characters and emoji, else 1.
size_t display_width(std::string_view text);

// The text on one line: line ends and tabs become spaces; other controls (so a name cannot move the cursor), direction overrides and
// malformed bytes U+FFFD.
std::string one_line(std::string_view text);

// At most `columns` wide, an ellipsis at the end when something was cut.
std::string clip(std::string_view text, size_t columns);

}  // namespace pointsman::report
