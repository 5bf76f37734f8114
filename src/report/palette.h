// Palette: the colours of pages and figures, as CSS custom properties with a light and a dark value each, so that one file serves both
// schemes. The six choosable arms are told apart under the common kinds of colour blindness (the test computes it); the other arms never
// appear without their name.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace pointsman::report {

struct Tone {
  std::string_view name;  // --NAME; for arms --arm-NAME
  std::string_view light, dark;
  std::string_view on_light, on_dark;  // arms only: text upon the colour, --on-NAME
};
std::span<const Tone> arm_tones();
std::span<const Tone> page_tones();

// "var(--arm-las)"; arms that are not in the palette share one colour of their own.
std::string arm_fill(std::string_view arm);
std::string arm_ink(std::string_view arm);

// The custom properties: light, dark by the reader's system, dark or light by a data-theme attribute on the root, and light on paper.
std::string palette_css();

}  // namespace pointsman::report
