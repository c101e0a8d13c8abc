#include "catch.h"

#include <cmath>

#include <tensorpath/base/units.h>

using namespace tensorpath;

TEST_CASE("numbers for people have three significant digits and thousands separators") {
  CHECK(human_number(1234) == "1,234");
  CHECK(human_number(1234567) == "1,234,567");
  CHECK(human_number(12.34) == "12.3");
  CHECK(human_number(0.012345) == "0.0123");
  CHECK(human_number(12) == "12");
  CHECK(human_number(0) == "0");
  CHECK(human_number(-4321.6) == "-4,322");
}

TEST_CASE("a number that rounds up keeps its digits") {
  CHECK(human_number(99.96) == "100");
  CHECK(human_number(9.999) == "10.0");
  CHECK(human_number(999.7) == "1,000");
}

TEST_CASE("what is no number is said so") {
  CHECK(human_number(std::nan("")) == "-");
  CHECK(human_number(INFINITY) == "inf");
  CHECK(human_number(1e18) == "1.00e+18");
  CHECK(human_number(1e-7) == "1.00e-07");
}

TEST_CASE("money has cents, and more digits where cents are nothing") {
  CHECK(human_usd(1234.4) == "$1,234");
  CHECK(human_usd(0.42) == "$0.42");
  CHECK(human_usd(12.5) == "$12.50");
  CHECK(human_usd(99.999) == "$100");
  CHECK(human_usd(0.0042) == "$0.0042");
  CHECK(human_usd(0) == "$0.00");
  CHECK(human_usd(-5) == "-$5.00");
  CHECK(human_usd(std::nan("")) == "-");
}

TEST_CASE("bytes take the largest unit that leaves a number of three digits") {
  CHECK(human_bytes(85520809984.0) == "79.6 GiB");
  CHECK(human_bytes(640.0 * 1024 * 1024) == "640 MiB");
  CHECK(human_bytes(12) == "12 B");
  CHECK(human_bytes(1023.0 * 1024) == "0.999 MiB");
}

TEST_CASE("a sum takes the weakest provenance of its parts") {
  CHECK(weakest(Provenance::kMeasured, Provenance::kModeled) == Provenance::kModeled);
  CHECK(to_string(weakest(Provenance::kAssumed, Provenance::kImported)) == "assumed");
}
