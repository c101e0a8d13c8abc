// The Pareto front as text and as SVG. Both axes are logarithmic: plans differ by factors.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <tensorpath/advise.h>

namespace tensorpath {
namespace {

struct LogAxis {
  double lo = 1, hi = 10;

  [[nodiscard]] double share(double value) const {
    return (std::log(value) - std::log(lo)) / (std::log(hi) - std::log(lo));
  }
};

template <typename Value>
LogAxis axis_of(const std::vector<ParetoPoint>& points, Value value) {
  LogAxis axis{1e300, 0};
  for (const ParetoPoint& p : points) {
    if (value(p) <= 0) continue;
    axis.lo = std::min(axis.lo, value(p));
    axis.hi = std::max(axis.hi, value(p));
  }
  if (axis.hi <= 0) return {};
  // A tenth of room on both ends; a single point gets an octave.
  axis.lo /= axis.hi > axis.lo ? 1.1 : std::sqrt(2.0);
  axis.hi *= axis.hi > axis.lo * 1.2 ? 1.1 : std::sqrt(2.0);
  return axis;
}

double user_of(const ParetoPoint& p) { return p.tok_s_user; }
double gpu_of(const ParetoPoint& p) { return p.tok_s_gpu; }

// 1, 2, 5, 10, 20, ... inside the axis.
std::vector<double> ticks(const LogAxis& axis) {
  std::vector<double> out;
  for (double decade = std::pow(10, std::floor(std::log10(axis.lo))); decade <= axis.hi;
       decade *= 10) {
    for (const double step : {1.0, 2.0, 5.0}) {
      const double tick = decade * step;
      if (tick >= axis.lo && tick <= axis.hi) out.push_back(tick);
    }
  }
  return out;
}

std::string escape_xml(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// GPU name of "MODEL on GPU, ...", what a point is coloured by.
std::string gpu_name(const ParetoPoint& point) {
  const auto on = point.plan.find(" on ");
  const auto end = point.plan.find(',');
  if (on == std::string::npos || end == std::string::npos) return point.plan;
  return point.plan.substr(on + 4, end - on - 4);
}

// Okabe and Ito's palette, told apart by colour-blind readers too.
constexpr const char* kColours[] = {"#0072B2", "#E69F00", "#009E73", "#D55E00",
                                    "#CC79A7", "#56B4E9", "#000000"};

struct Frame {
  double left = 70, top = 50, width = 620, height = 360;
  LogAxis x, y;

  [[nodiscard]] double px(double value) const { return left + width * x.share(value); }
  [[nodiscard]] double py(double value) const { return top + height * (1 - y.share(value)); }
};

std::string svg_axes(const Frame& f) {
  std::string out = fmt::format(
      "<rect x=\"{:.0f}\" y=\"{:.0f}\" width=\"{:.0f}\" height=\"{:.0f}\" fill=\"none\" "
      "stroke=\"#888\"/>\n",
      f.left, f.top, f.width, f.height);
  for (const double tick : ticks(f.x)) {
    out += fmt::format(
        "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.0f}\" y2=\"{2:.0f}\" "
        "stroke=\"#ddd\"/><text x=\"{0:.1f}\" y=\"{3:.0f}\" "
        "text-anchor=\"middle\">{4}</text>\n",
        f.px(tick), f.top, f.top + f.height, f.top + f.height + 18, human_number(tick));
  }
  for (const double tick : ticks(f.y)) {
    out += fmt::format(
        "<line x1=\"{1:.0f}\" x2=\"{2:.0f}\" y1=\"{0:.1f}\" y2=\"{0:.1f}\" "
        "stroke=\"#ddd\"/><text x=\"{3:.0f}\" y=\"{4:.1f}\" "
        "text-anchor=\"end\">{5}</text>\n",
        f.py(tick), f.left, f.left + f.width, f.left - 8, f.py(tick) + 4, human_number(tick));
  }
  out += fmt::format(
      "<text x=\"{:.0f}\" y=\"{:.0f}\" text-anchor=\"middle\">tok/s per user "
      "(1000 / TPOT p50)</text>\n",
      f.left + f.width / 2, f.top + f.height + 40);
  out += fmt::format(
      "<text x=\"18\" y=\"{0:.0f}\" text-anchor=\"middle\" "
      "transform=\"rotate(-90 18 {0:.0f})\">output tok/s per GPU</text>\n",
      f.top + f.height / 2);
  return out;
}

std::string svg_points(const Frame& f, const std::vector<ParetoPoint>& points) {
  std::string out;
  std::vector<std::string> gpus;
  for (const ParetoPoint& p : points) {
    const std::string gpu = gpu_name(p);
    auto found = std::find(gpus.begin(), gpus.end(), gpu);
    if (found == gpus.end()) found = gpus.insert(gpus.end(), gpu);
    const char* colour = kColours[static_cast<std::size_t>(found - gpus.begin()) % 7];
    out += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\" fill=\"{}\" stroke=\"{}\" "
        "fill-opacity=\"{}\"><title>{}: {} tok/s/user, {} tok/s/GPU, {} per Mtok"
        "</title></circle>\n",
        f.px(p.tok_s_user), f.py(p.tok_s_gpu), colour, colour, p.on_throughput_front ? "1" : "0.25",
        escape_xml(p.plan), human_number(p.tok_s_user), human_number(p.tok_s_gpu),
        human_usd(p.usd_per_mtok_output));
  }
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    const double y = f.top + 14 + 18 * static_cast<double>(i);
    out += fmt::format(
        "<circle cx=\"{0:.0f}\" cy=\"{1:.0f}\" r=\"5\" fill=\"{2}\"/>"
        "<text x=\"{3:.0f}\" y=\"{4:.0f}\">{5}</text>\n",
        f.left + f.width + 16, y, kColours[i % 7], f.left + f.width + 28, y + 4,
        escape_xml(gpus[i]));
  }
  return out;
}

}  // namespace

std::string pareto_plot(const std::vector<ParetoPoint>& points, int width, int height) {
  if (points.empty()) return {};
  const LogAxis x = axis_of(points, user_of);
  const LogAxis y = axis_of(points, gpu_of);
  constexpr int kLabel = 8;
  const int columns = std::max(20, width - kLabel - 1);
  std::vector<std::string> rows(static_cast<std::size_t>(height),
                                std::string(static_cast<std::size_t>(columns), ' '));
  const auto cell = [](double share, int cells) {
    return std::clamp(static_cast<int>(std::lround(share * (cells - 1))), 0, cells - 1);
  };
  for (const ParetoPoint& p : points) {
    const int row = height - 1 - cell(y.share(p.tok_s_gpu), height);
    char& mark = rows[static_cast<std::size_t>(row)]
                     [static_cast<std::size_t>(cell(x.share(p.tok_s_user), columns))];
    if (p.on_throughput_front) mark = '*';
    if (mark == ' ') mark = '$';
  }
  std::string out;
  for (int i = 0; i < height; ++i) {
    std::string label;
    if (i == 0) label = human_number(y.hi);
    if (i == height - 1) label = human_number(y.lo);
    out += fmt::format("{:>{}} |{}\n", label, kLabel - 2, rows[static_cast<std::size_t>(i)]);
  }
  out += fmt::format("{:>{}} +{}\n", "", kLabel - 2,
                     std::string(static_cast<std::size_t>(columns), '-'));
  const std::string left = human_number(x.lo);
  const std::string right = human_number(x.hi) + " tok/s/user";
  const int gap = std::max(1, columns - static_cast<int>(left.size() + right.size()));
  out += std::string(kLabel, ' ') + left + std::string(static_cast<std::size_t>(gap), ' ') + right +
         "\n";
  out += std::string(kLabel, ' ') + "* most tok/s per GPU   $ cheapest per token\n";
  return out;
}

std::string pareto_svg(const std::vector<ParetoPoint>& points, const std::string& title) {
  Frame frame;
  frame.x = axis_of(points, user_of);
  frame.y = axis_of(points, gpu_of);
  std::string out =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"860\" height=\"480\" "
      "viewBox=\"0 0 860 480\" font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"860\" height=\"480\" fill=\"white\"/>\n";
  out += fmt::format("<text x=\"70\" y=\"28\" font-size=\"15\">{}</text>\n", escape_xml(title));
  out += svg_axes(frame);
  out += svg_points(frame, points);
  out += "</svg>\n";
  return out;
}

}  // namespace tensorpath
