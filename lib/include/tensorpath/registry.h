// The registry of promoted kernels: entries, where they are kept, which one a call should take.
#pragma once

#include <tensorpath/registry/entry.h>
#include <tensorpath/registry/select.h>
#include <tensorpath/registry/store.h>
