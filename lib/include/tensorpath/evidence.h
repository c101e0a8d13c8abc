// Evidence: packets that anybody can check, their signatures, and text that nobody vouches for.
#pragma once

#include <tensorpath/evidence/archive.h>
#include <tensorpath/evidence/check.h>
#include <tensorpath/evidence/file_hash.h>
#include <tensorpath/evidence/harness_digest.h>
#include <tensorpath/evidence/packet.h>
#include <tensorpath/evidence/quote.h>
#include <tensorpath/evidence/signature.h>
