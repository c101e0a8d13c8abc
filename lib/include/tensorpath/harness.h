// The gate of truth: what a task asks, what a candidate is, and whether it holds.
#pragma once

#include <tensorpath/harness/bench.h>
#include <tensorpath/harness/candidate.h>
#include <tensorpath/harness/failure.h>
#include <tensorpath/harness/operator_directory.h>
#include <tensorpath/harness/task.h>
#include <tensorpath/harness/timing.h>
#include <tensorpath/harness/toolchain.h>
#include <tensorpath/harness/verify.h>
