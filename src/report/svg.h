// Svg: writes one SVG picture, element by element. The same calls give the same bytes; numbers have at most two decimals, whatever the
// locale. An element whose place is not a finite number is left out: nothing is drawn rather than something wrong.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace pointsman::report {

struct Point {
  double x = 0, y = 0;
};
struct Box {
  double x = 0, y = 0, width = 0, height = 0;
};

struct Look {
  std::string css = "";   // class names
  std::string fill = "";  // CSS colours, most often var(--...)
  std::string stroke = "";
  double stroke_width = 0;  // 0: as the class says
  double radius = 0;        // of a box's corners
  std::string tip = "";     // what a reader learns on pointing at it
};

struct TextLook {
  std::string css = "";
  std::string fill = "";
  char anchor = 's';  // s, m or e: the point is the text's start, middle or end
};

class Svg {
 public:
  struct Options {
    double width = 0, height = 0;
    std::string label = "";  // what the picture shows, for those who do not see it
    std::string css = "";
  };
  explicit Svg(const Options& options);

  void rect(const Box& box, const Look& look);
  void line(const Point& from, const Point& to, const Look& look);
  void circle(const Point& centre, double radius, const Look& look);
  void polyline(std::span<const Point> points, const Look& look);  // parts at points that are not finite
  void polygon(std::span<const Point> points, const Look& look);
  void text(const Point& at, std::string_view text, const TextLook& look);
  void open_group(const Look& look);
  void close_group();

  [[nodiscard]] std::string take() &&;

 private:
  void element(std::string_view name, const std::string& attributes, const Look& look);
  std::string out_;
};

std::string svg_number(double value);

// Width of a text in the page's font, in px, on the safe side: fonts differ, so nothing may hang on less than a tenth.
double text_width(std::string_view text, double size_px);
// The text, or as much of it as fits with an ellipsis, or nothing when not even two letters would.
std::string fit_text(std::string_view text, double size_px, double width);

// The styles that the figures' classes need.
std::string chart_css();
// A picture that stands alone, for a README: brings its colours and follows the reader's colour scheme.
std::string standalone(std::string svg);

}  // namespace pointsman::report
