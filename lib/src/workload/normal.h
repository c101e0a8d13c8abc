// The standard normal distribution, as far as lognormal lengths need it.
#pragma once

namespace tensorpath {

// P(a < Z < b) for a <= b, without cancellation in the tails.
[[nodiscard]] double normal_between(double a, double b);
// The x with P(Z < x) = p, 0 < p < 1, to double precision.
[[nodiscard]] double normal_quantile(double p);

}  // namespace tensorpath
