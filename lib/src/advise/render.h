// Shared pieces of the text and the Markdown report of a recommendation.
#pragma once

#include <string>
#include <vector>

#include <tensorpath/advise.h>
#include <tensorpath/base/table.h>

namespace tensorpath::advise {

// "412 [301, 655] ms calibrated": value, band and class of a latency's mean.
[[nodiscard]] std::string banded(double value, double lo_ratio, double hi_ratio,
                                 const Accuracy& accuracy);
// "4 GPUs = 2 replicas x 2 GPUs per replica"
[[nodiscard]] std::string gpus_text(const Plan& plan);
[[nodiscard]] Table plan_table(const Recommendation& recommendation);
[[nodiscard]] Table rejection_table(const Recommendation& recommendation);
// One line each, no bullets.
[[nodiscard]] std::vector<std::string> flip_lines(const Recommendation& recommendation);
[[nodiscard]] std::vector<std::string> relaxation_lines(const Recommendation& recommendation);
[[nodiscard]] std::vector<std::string> excess_lines(const Plan& plan);
// What is printed above the kernels of the first plan.
inline constexpr const char* kKernelsTitle =
    "Verified kernels for its bottleneck (opportunities, in none of the numbers)";
[[nodiscard]] std::vector<std::string> kernel_lines(const Recommendation& recommendation);
// The winner in two or three sentences for somebody who signs the bill.
[[nodiscard]] std::string executive_summary(const Recommendation& recommendation);

}  // namespace tensorpath::advise
