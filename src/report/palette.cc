#include "report/palette.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace pointsman::report {

namespace {

constexpr std::array kArms = {
    Tone{"eevdf", "#3d453f", "#a6a8ad", "#ffffff", "#101114"}, Tone{"hyb", "#9a80fb", "#7f78ff", "#14101f", "#0b0918"},
    Tone{"las", "#b0683f", "#c26d14", "#ffffff", "#120a02"},   Tone{"age", "#66cfd2", "#86eef2", "#06201f", "#06201f"},
    Tone{"sjf", "#7c2cae", "#875c93", "#ffffff", "#ffffff"},   Tone{"ipre", "#e6aa12", "#ecdf44", "#1f1600", "#1b1800"},
    Tone{"rtc", "#6b0f5e", "#c07fb4", "#ffffff", "#140812"},   Tone{"rr", "#93b4ff", "#55aefb", "#0a1330", "#04121f"},
    Tone{"vtime", "#7a66a0", "#5f62d6", "#ffffff", "#ffffff"}, Tone{"dl", "#865410", "#dd9d4c", "#ffffff", "#1a0f02"},
    Tone{"other", "#8c8f94", "#6f747c", "#101114", "#ffffff"}};

constexpr std::array kPage = {Tone{"paper", "#fbfaf6", "#14161a", "", ""},  Tone{"raised", "#ffffff", "#1b1e24", "", ""},
                              Tone{"ink", "#1d1c1a", "#eceae4", "", ""},    Tone{"muted", "#66625b", "#a3a099", "", ""},
                              Tone{"line", "#dedad0", "#333740", "", ""},   Tone{"band", "#f2efe7", "#1c2027", "", ""},
                              Tone{"accent", "#b3261e", "#ff7a6b", "", ""}, Tone{"better", "#1f6fb2", "#6db3f2", "", ""},
                              Tone{"worse", "#b0560f", "#f0a35a", "", ""}};

const Tone& tone_of(std::string_view arm) {
  const auto it = std::find_if(kArms.begin(), kArms.end(), [&](const Tone& t) { return t.name == arm; });
  return it == kArms.end() ? kArms.back() : *it;
}

std::string properties(bool dark) {
  std::string out = dark ? "color-scheme:dark;" : "color-scheme:light;";
  for (const Tone& t : kPage) out += fmt::format("--{}:{};", t.name, dark ? t.dark : t.light);
  for (const Tone& t : kArms)
    out += fmt::format("--arm-{0}:{1};--on-{0}:{2};", t.name, dark ? t.dark : t.light, dark ? t.on_dark : t.on_light);
  return out;
}

}  // namespace

std::span<const Tone> arm_tones() { return kArms; }
std::span<const Tone> page_tones() { return kPage; }

std::string arm_fill(std::string_view arm) { return fmt::format("var(--arm-{})", tone_of(arm).name); }
std::string arm_ink(std::string_view arm) { return fmt::format("var(--on-{})", tone_of(arm).name); }

std::string palette_css() {
  return fmt::format(
      ":root{{{0}}}\n@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{1}}}}}\n"
      "@media screen{{:root[data-theme=dark]{{{1}}}}}\n",
      properties(false), properties(true));
}

}  // namespace pointsman::report
