// promote_run with another way to time; for its tests.
#pragma once

#include "measurement.h"

#include <tensorpath/forge/promote_run.h>

namespace tensorpath::forge {

[[nodiscard]] Expected<PromotedAttempt> promote_with(const RunDirectory& run,
                                                     const Operators& operators,
                                                     const PromoteRequest& request,
                                                     const Bench& bench, BenchOptions options,
                                                     const SigningKey* key);

}  // namespace tensorpath::forge
