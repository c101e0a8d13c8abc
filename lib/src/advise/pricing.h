// What a deployment of a plan costs: owned hardware first, then the workload's own prices, then the
// price list; providers that rent by the node bill whole nodes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <tensorpath/advise.h>

namespace tensorpath::advise {

// What some GPUs of one type cost together.
struct Rate {
  double usd_per_hour = 0;
  double usd_per_gpu_hour = 0;  // mean over the billed ones
  int billed_gpus = 0;
  int owned_gpus = 0;
  const Price* list_price = nullptr;  // null: owned, or the workload's own price
};

// The offers that one workload can take, looked up once: pricing a candidate is then a few
// multiplications.
class PriceBook {
 public:
  PriceBook() = default;
  PriceBook(const Catalog& catalog, const Workload& workload);

  // nullopt: nobody sells them.
  [[nodiscard]] std::optional<Rate> rate(const Gpu& gpu, int gpus) const;

 private:
  struct Offers {
    const OwnedGpus* owned = nullptr;
    std::optional<double> own_price;  // USD per GPU-hour, from the workload
    std::vector<const Price*> list;
  };
  [[nodiscard]] static std::optional<Rate> list_rate(const Offers& offers, int gpus);

  std::map<const Gpu*, Offers> offers_;
};

// Fills every field of PlanCost from the rate and the plan's throughput.
[[nodiscard]] PlanCost cost_of(const Rate& rate, const Plan& plan, const Workload& workload,
                               const std::string& today);

// Older than 90 days at `today`; false when either date is unknown.
[[nodiscard]] bool price_is_old(const std::string& date, const std::string& today);

}  // namespace tensorpath::advise
