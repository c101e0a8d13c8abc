#include <cstdint>

#include <fmt/format.h>

#include <tensorpath/base/clock.h>

namespace tensorpath {
namespace {

using std::chrono::microseconds;

// Takes `digits` decimal digits off the front.
bool take_number(std::string_view& text, std::size_t digits, int& value) {
  if (text.size() < digits) return false;
  value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return true;
}

bool take_char(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

// ".123456", or nothing.
bool take_fraction(std::string_view& text, std::int64_t& value_us) {
  value_us = 0;
  if (!take_char(text, '.')) return true;
  std::int64_t unit_us = 1'000'000;
  std::size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    if (digits == 6) return false;
    unit_us /= 10;
    value_us += unit_us * (text[digits] - '0');
  }
  text.remove_prefix(digits);
  return digits > 0;
}

}  // namespace

WallTime wall_now() {
  return std::chrono::time_point_cast<microseconds>(std::chrono::system_clock::now());
}

std::string utc_text(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::optional<WallTime> parse_utc(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  std::int64_t fraction_us = 0;
  const bool read =
      take_number(text, 4, year) && take_char(text, '-') && take_number(text, 2, month) &&
      take_char(text, '-') && take_number(text, 2, day) && take_char(text, 'T') &&
      take_number(text, 2, hour) && take_char(text, ':') && take_number(text, 2, minute) &&
      take_char(text, ':') && take_number(text, 2, second) && take_fraction(text, fraction_us) &&
      take_char(text, 'Z') && text.empty();
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!read || !date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
         std::chrono::minutes(minute) + std::chrono::seconds(second) + microseconds(fraction_us);
}

}  // namespace tensorpath
