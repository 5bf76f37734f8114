// A small reader of markup for tests: are all tags closed in order, all attributes quoted, and no number broken?
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace pointsman::report {

// The first problem, or nothing. Knows the few HTML elements that have no end tag; skips what stands in <style> and <script>.
inline std::string problem_in_markup(std::string_view text) {
  static const std::set<std::string, std::less<>> kVoid = {"meta", "br", "hr", "img", "input", "link"};
  std::vector<std::string> open;
  const auto excerpt = [&](size_t at) { return std::string(text.substr(at, 60)); };
  for (size_t at = 0; at < text.size();) {
    const size_t next = text.find('<', at);
    const std::string_view words = text.substr(at, next == std::string_view::npos ? next : next - at);
    if (words.find('>') != std::string_view::npos) return "loose '>' in: " + excerpt(at);
    if (next == std::string_view::npos) break;
    if (text.substr(next).starts_with("<!doctype")) {
      at = text.find('>', next) + 1;
      continue;
    }
    size_t i = next + 1;
    const bool closing = i < text.size() && text[i] == '/';
    if (closing) ++i;
    const size_t name_from = i;
    while (i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) != 0)) ++i;
    const std::string name(text.substr(name_from, i - name_from));
    if (name.empty()) return "loose '<' at: " + excerpt(next);
    char quote = 0;
    bool self_closed = false;
    for (; i < text.size(); ++i) {
      const char c = text[i];
      if (quote != 0) {
        if (c == quote)
          quote = 0;
        else if (c == '<')
          return "'<' within an attribute: " + excerpt(next);
      } else if (c == '"') {
        quote = c;
      } else if (c == '>') {
        break;
      } else if (c == '<') {
        return "tag without an end: " + excerpt(next);
      }
      self_closed = quote == 0 && c == '/';
    }
    if (i >= text.size()) return "tag without an end: " + excerpt(next);
    const std::string_view tag = text.substr(next, i - next + 1);
    for (const char* bad : {"\"nan", "\"-nan", "\"inf", "\"-inf", ",nan", " nan", "NaN", "1e+", "e+3"})
      if (name != "meta" && tag.find(bad) != std::string_view::npos) return "broken number: " + std::string(tag);
    if (tag.find(" on") != std::string_view::npos && tag.find(" on") < tag.find('"')) return "an event handler: " + std::string(tag);
    at = i + 1;
    if (closing) {
      if (open.empty() || open.back() != name) return "closes what is not open: " + excerpt(next);
      open.pop_back();
    } else if (!self_closed && !kVoid.contains(name)) {
      open.push_back(name);
      if (name == "style" || name == "script") at = text.find("</" + name, at);
    }
  }
  return open.empty() ? "" : "never closed: " + open.back();
}

}  // namespace pointsman::report
