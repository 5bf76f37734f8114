// Page: the frame of every HTML report: one file that loads nothing, light and dark, readable on paper, on a phone and without JavaScript.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pointsman::report {

struct Section {
  std::string id = "";       // letters, digits, hyphens
  std::string heading = "";  // plain text
  std::string body = "";     // HTML
};

struct Page {
  std::string title = "";   // plain text
  std::string kicker = "";  // plain text: what kind of report this is
  std::string lead = "";    // HTML above the sections: the headline
  std::vector<Section> sections = {};
};
std::string to_html(const Page& page);

std::string paragraph(std::string_view text, std::string_view css = "");
// A list of terms and what they are; entries with an empty value are left out.
std::string definitions(const std::vector<std::pair<std::string, std::string>>& entries);

}  // namespace pointsman::report
