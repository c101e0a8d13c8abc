// Operators: what a kernel must compute, the cases it is judged on, and the judgement of its bytes.
#pragma once

#include <tensorpath/ops/cases.h>
#include <tensorpath/ops/dtype.h>
#include <tensorpath/ops/expression.h>
#include <tensorpath/ops/invariants.h>
#include <tensorpath/ops/mutants.h>
#include <tensorpath/ops/operator.h>
#include <tensorpath/ops/prove.h>
#include <tensorpath/ops/reference.h>
#include <tensorpath/ops/truth.h>
