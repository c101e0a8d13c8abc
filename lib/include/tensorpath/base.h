// The ground everything stands on: errors, units, files, clocks, JSON/YAML, tables. Depends on
// nothing here.
#pragma once

#include <tensorpath/base/clock.h>
#include <tensorpath/base/descriptor.h>
#include <tensorpath/base/error.h>
#include <tensorpath/base/file.h>
#include <tensorpath/base/json.h>
#include <tensorpath/base/random.h>
#include <tensorpath/base/table.h>
#include <tensorpath/base/units.h>
#include <tensorpath/base/yaml.h>
