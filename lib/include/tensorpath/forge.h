// Forge's state: run ids, run directories, what may happen to an attempt, and the ledger.
#pragma once

#include <tensorpath/forge/attempt_profile.h>
#include <tensorpath/forge/attempt_state.h>
#include <tensorpath/forge/bench_run.h>
#include <tensorpath/forge/claims.h>
#include <tensorpath/forge/create_run.h>
#include <tensorpath/forge/export.h>
#include <tensorpath/forge/ledger.h>
#include <tensorpath/forge/packet_run.h>
#include <tensorpath/forge/promote_run.h>
#include <tensorpath/forge/run_directory.h>
#include <tensorpath/forge/run_id.h>
#include <tensorpath/forge/run_set.h>
#include <tensorpath/forge/verify_run.h>
