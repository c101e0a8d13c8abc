// data/pricing/*.yaml: what a GPU-hour costs, one row per offer, each with its own source and date.
#include "read.h"

#include <array>
#include <limits>

#include <fmt/format.h>

namespace tensorpath {
namespace {

std::optional<int> digits(std::string_view text) {
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') {
      return std::nullopt;
    }
    value = value * 10 + (c - '0');
  }
  return value;
}

bool is_leap(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int days_in_month(int year, int month) {
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : kDays[static_cast<std::size_t>(month - 1)];
}

bool same_region(const Price& price, std::string_view region) {
  return region == "any" || price.region == "any" || price.region == region ||
         catalog::name_key(price.region) == catalog::name_key(region);
}

}  // namespace

std::optional<long> days_of_date(std::string_view date) {
  if (date.size() != 10 || date[4] != '-' || date[7] != '-') {
    return std::nullopt;
  }
  const auto year = digits(date.substr(0, 4));
  const auto month = digits(date.substr(5, 2));
  const auto day = digits(date.substr(8, 2));
  if (!year || !month || !day || *year < 1 || *month < 1 || *month > 12 || *day < 1 ||
      *day > days_in_month(*year, *month)) {
    return std::nullopt;
  }
  // Years run from March, so that the leap day is the last; 719468 days lie between 0000-03-01 and
  // 1970-01-01.
  const long y = *month <= 2 ? *year - 1 : *year;
  const long months_from_march = (*month + 9) % 12;
  const long day_of_year = (153 * months_from_march + 2) / 5 + *day - 1;
  return 365 * y + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

int billed_gpus(int gpus, int min_gpus) {
  if (gpus <= 0) return 0;
  const int lot = std::max(1, min_gpus);
  return gpus > std::numeric_limits<int>::max() - lot ? gpus : (gpus + lot - 1) / lot * lot;
}

std::vector<const Price*> Catalog::offers(const Gpu& gpu, std::string_view region,
                                          std::string_view commitment) const {
  std::vector<const Price*> out;
  for (const Price& price : prices_) {
    if (price.gpu != gpu.name || price.commitment != commitment || !same_region(price, region)) {
      continue;
    }
    if (!out.empty() && price.precedence > out.front()->precedence) out.clear();
    if (out.empty() || price.precedence == out.front()->precedence) out.push_back(&price);
  }
  return out;
}

const Price* Catalog::price(const Gpu& gpu, std::string_view region, std::string_view commitment,
                            int gpus) const {
  const Price* best = nullptr;
  double best_usd_per_hour = 0;
  for (const Price* price : offers(gpu, region, commitment)) {
    const double usd_per_hour = price->usd_per_gpu_hour * billed_gpus(gpus, price->min_gpus);
    if (best != nullptr && best_usd_per_hour <= usd_per_hour) continue;
    best = price;
    best_usd_per_hour = usd_per_hour;
  }
  return best;
}

namespace catalog {
namespace {

// A list that names only its month is taken as of the month's first day: no younger than it is.
std::string read_date(MapReader& row) {
  std::string date = required_text(row, "date", "the day of the price list, YYYY-MM-DD");
  if (date.size() == 7) {
    date += "-01";
  }
  if (!date.empty() && !days_of_date(date)) {
    row.diagnostics().add(row.where("date"), fmt::format("'{}' is no date", date),
                          "write YYYY-MM-DD, or YYYY-MM where the list says no more");
  }
  return date;
}

Price read_price(const YamlNode& item, const std::string& path, Reading& reading) {
  MapReader row(item, path, reading.diagnostics);
  Price price;
  price.gpu = required_text(row, "gpu", "a name of data/gpus");
  price.usd_per_gpu_hour =
      required_number(row, "usd_per_gpu_hour", "US dollars per GPU and hour", {0, 1e4});
  price.provider = required_text(row, "provider", "who rents it out");
  price.region = required_text(row, "region", "us-east, eu-west, any, ...");
  price.commitment = required_word(row, "commitment", "the terms",
                                   {"on_demand", "reserved_1y", "reserved_3y", "spot", "owned"});
  price.date = read_date(row);
  price.min_gpus = required_int(row, "min_gpus", "the least number one can rent");
  price.source = required_text(row, "source", "the price list or page");
  row.finish();
  if (!price.gpu.empty()) {
    reading.references.push_back({Reference::Kind::kGpu, price.gpu, row.where("gpu")});
  }
  return price;
}

}  // namespace

std::vector<Price> read_prices(const YamlNode& document, Reading& reading) {
  MapReader map(document, "", reading.diagnostics);
  std::vector<Price> prices;
  read_schema(map, kPricesSchema);
  map.require("prices", "[{gpu, usd_per_gpu_hour, provider, region, commitment, date, ...}]");
  int index = 0;
  for (const YamlNode& item : list_of_maps(map, "prices")) {
    prices.push_back(read_price(item, fmt::format("prices[{}]", index++), reading));
  }
  map.finish();
  return prices;
}

}  // namespace catalog
}  // namespace tensorpath
