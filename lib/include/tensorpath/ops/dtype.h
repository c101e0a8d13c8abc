// Element types of tensors: their names, sizes, limits, and how a bit pattern and a real number
// become each other. Decoding is exact; encoding rounds to nearest, ties to even (IEEE 754, OCP
// OFP8 and OCP MX 1.0).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tensorpath {

enum class DType : std::uint8_t {
  kFp32,
  kFp16,
  kBf16,
  kFp8E4M3,  // OCP: no infinity, one NaN pattern per sign, largest 448
  kFp8E5M2,
  kFp4E2M1,  // packed two to a byte, low nibble first; 0, 0.5, 1, 1.5, 2, 3, 4, 6
  kUe8m0,    // a power of two, 2^(code - 127); 255 is NaN (MX scales)
  kInt4,     // packed two to a byte, low nibble first; two's complement
  kUint4,    // packed likewise
  kInt8,
  kUint8,
  kInt32,
  kInt64,
};

[[nodiscard]] std::string_view name_of(DType dtype);  // "fp16", "fp8_e4m3"
[[nodiscard]] std::optional<DType> dtype_of(std::string_view name);
[[nodiscard]] std::vector<std::string> dtype_names();

[[nodiscard]] int bits_of(DType dtype);
[[nodiscard]] bool is_floating(DType dtype);
// Bytes that `elements` elements take; packed types round up to whole bytes.
[[nodiscard]] std::int64_t bytes_of(DType dtype, std::int64_t elements);

// Of a floating type: half the distance from 1 to the next number, the smallest normal number, the
// smallest positive number, the largest finite number. Integers: 0.5, 1, 1, the largest.
[[nodiscard]] double unit_roundoff(DType dtype);
[[nodiscard]] double smallest_normal(DType dtype);
[[nodiscard]] double smallest_positive(DType dtype);
[[nodiscard]] double largest_finite(DType dtype);
[[nodiscard]] bool has_infinity(DType dtype);
[[nodiscard]] bool has_nan(DType dtype);
// The distance between neighbouring numbers of the type around `value` (its binade's ulp).
[[nodiscard]] double ulp_at(DType dtype, double value);

// One element's bit pattern (low bits of the word) as a number, exactly (int64: up to 2^53), and
// back. A number beyond the largest becomes infinity where the type has one, else NaN (fp8_e4m3,
// ue8m0) or the largest number (fp4, integers saturate). NaN becomes 0 where the type has none.
// Between two powers of two ue8m0 takes the upper one from the middle on, and its least one for 0;
// a negative number is NaN there.
[[nodiscard]] double decode(DType dtype, std::uint64_t bits);
[[nodiscard]] std::uint64_t encode(DType dtype, double value);

// Bit patterns in storage; `index` counts elements.
[[nodiscard]] std::uint64_t load_bits(DType dtype, const unsigned char* storage,
                                      std::int64_t index);
void store_bits(DType dtype, unsigned char* storage, std::int64_t index, std::uint64_t bits);

// Many at once, contiguous: what a loop of decode and load_bits gives, faster.
void decode_all(DType dtype, const unsigned char* storage, std::int64_t count, double* values);
void encode_all(DType dtype, const double* values, std::int64_t count, unsigned char* storage);

}  // namespace tensorpath
