#include "report/markup.h"

#include <algorithm>
#include <array>

#include "report/utf8.h"

namespace pointsman::report {

namespace {
constexpr std::array<std::string_view, 5> kUnits = {" %", " s", " ms", " µs", " ns"};
}

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    switch (c) {
      case '&':
        out += "&amp;";
        continue;
      case '<':
        out += "&lt;";
        continue;
      case '>':
        out += "&gt;";
        continue;
      case '"':
        out += "&quot;";
        continue;
      case '\'':
        out += "&#39;";
        continue;
      default:
        break;
    }
    const bool forbidden = (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || (c >= 0x7F && c < 0xA0) || c == 0xFFFE || c == 0xFFFF;
    append_code_point(out, forbidden ? 0xFFFD : c);
  }
  return out;
}

std::string prose(std::string_view text) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const std::string safe = escape(text);
  std::string out;
  for (size_t i = 0; i < safe.size(); ++i) {
    const std::string_view rest = std::string_view(safe).substr(i);
    const char before = i > 0 ? safe[i - 1] : ' ';
    const bool unit = std::any_of(kUnits.begin(), kUnits.end(), [&](std::string_view u) { return rest.starts_with(u); });
    const bool sign = safe[i] == '-' && rest.size() > 1 && digit(rest[1]) && (before == ' ' || before == '(' || before == '[');
    if (digit(before) && unit) {
      out += "\u00A0";
    } else if (sign) {
      out += "−";
    } else {
      out += safe[i];
    }
  }
  return out;
}

std::string typographic(std::string_view number) {
  if (number == "-") return "–";
  if (number.size() > 1 && number[0] == '-' && number[1] >= '0' && number[1] <= '9') return "−" + std::string(number.substr(1));
  return std::string(number);
}

std::string identifier(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    out += plain ? c : '-';
  }
  return out;
}

}  // namespace pointsman::report
