// The harness's own kernels that measure what a GPU can do, as PTX that the driver compiles. Each
// is a module of its own: what a GPU lacks leaves the others alone. Operands are zero, which costs
// the least power, so that no kernel on real numbers is faster. A result is written only for a sum
// that zeros do not have; a compiler cannot know.
#pragma once

#include <string>

namespace tensorpath::cuda {

inline constexpr unsigned kCeilingThreads = 256;
inline constexpr unsigned kCeilingUnroll = 4;  // loads in flight, of sixteen bytes
// A thread's fused multiply-adds in a round, and a warp's matrix products; a warpgroup's by wgmma.
inline constexpr unsigned kFmaInRound = 64, kMmaInRound = 8, kWgmmaInRound = 4;

namespace detail {

inline std::string numbered(const char* prefix, unsigned first, unsigned count) {
  std::string text;
  for (unsigned i = first; i < first + count; ++i) {
    text += (i == first ? "" : ", ") + (prefix + std::to_string(i));
  }
  return text;
}

inline std::string head(const char* version, const char* target) {
  return std::string(".version ") + version + "\n.target " + target + "\n.address_size 64\n";
}

// A loop of %rounds rounds, and the end of a kernel that keeps the sum in %f0.
inline std::string looped(const std::string& body) {
  return "  ld.param.u32 %rounds, [rounds];\neach:\n" + body +
         "  sub.u32 %rounds, %rounds, 1;\n  setp.ne.u32 %more, %rounds, 0;\n  @%more bra each;\n";
}

inline std::string kept(unsigned sums) {
  std::string text = "  ld.param.u64 %to, [to];\n  cvta.to.global.u64 %to, %to;\n";
  for (unsigned i = 1; i < sums; ++i) {
    text += "  add.f32 %f0, %f0, %f" + std::to_string(i) + ";\n";
  }
  return text +
         "  setp.gt.f32 %more, %f0, 0f3F800000;\n  @%more st.global.f32 [%to], %f0;\n  ret;\n}\n";
}

inline std::string rounds_entry(const char* directives = "") {
  return std::string(".visible .entry tensorpath_ceiling(.param .u32 rounds, .param .u64 to) ") +
         directives +
         "\n{\n  .reg .pred %more, %all;\n  .reg .b32 %rounds;\n  .reg .b64 %to;\n"
         "  .reg .f32 %f<160>;\n";
}

inline std::string zeroed(unsigned sums) {
  std::string text;
  for (unsigned i = 0; i < sums; ++i)
    text += "  mov.f32 %f" + std::to_string(i) + ", 0f00000000;\n";
  return text;
}

}  // namespace detail

// tensorpath_ceiling(from, words, passes, to): reads `words` times sixteen bytes through the L2
// cache, `passes` times; with `copies` it stores them at `to`. `words` is a multiple of all threads
// times kCeilingUnroll.
inline std::string stream_kernel(bool copies) {
  std::string body;
  for (unsigned i = 0; i < kCeilingUnroll; ++i) {
    const std::string at = std::to_string(i);
    body += "  add.u64 %at" + at + ", %from, %offset;\n  add.u64 %st" + at +
            ", %to, %offset;\n  add.u64 %offset, %offset, %stride;\n";
  }
  for (unsigned i = 0; i < kCeilingUnroll; ++i) {
    body += "  ld.global.cg.v4.u32 {" + detail::numbered("%w", 4 * i, 4) + "}, [%at" +
            std::to_string(i) + "];\n";
  }
  for (unsigned i = 0; i < kCeilingUnroll; ++i) {
    if (copies) {
      body += "  st.global.v4.u32 [%st" + std::to_string(i) + "], {" +
              detail::numbered("%w", 4 * i, 4) + "};\n";
    } else {
      for (unsigned k = 0; k < 4; ++k) {
        body += "  xor.b32 %sum, %sum, %w" + std::to_string(4 * i + k) + ";\n";
      }
    }
  }
  return detail::head("7.0", "sm_70") + R"(
.visible .entry tensorpath_ceiling(.param .u64 from, .param .u64 words, .param .u32 passes,
                                   .param .u64 to)
{
  .reg .pred %more;
  .reg .b32 %a, %b, %c, %passes, %sum, %w<16>;
  .reg .b64 %from, %to, %end, %first, %offset, %stride, %at<4>, %st<4>;
  ld.param.u64 %from, [from];
  cvta.to.global.u64 %from, %from;
  ld.param.u64 %to, [to];
  cvta.to.global.u64 %to, %to;
  ld.param.u64 %end, [words];
  shl.b64 %end, %end, 4;
  ld.param.u32 %passes, [passes];
  mov.u32 %a, %ctaid.x;
  mov.u32 %b, %ntid.x;
  mov.u32 %c, %tid.x;
  mad.lo.u32 %c, %a, %b, %c;
  mul.wide.u32 %first, %c, 16;
  mov.u32 %a, %nctaid.x;
  mul.lo.u32 %a, %a, %b;
  mul.wide.u32 %stride, %a, 16;
  mov.u32 %sum, 0;
pass:
  mov.u64 %offset, %first;
each:
)" + body +
         R"(
  setp.lt.u64 %more, %offset, %end;
  @%more bra each;
  sub.u32 %passes, %passes, 1;
  setp.ne.u32 %more, %passes, 0;
  @%more bra pass;
  setp.eq.u32 %more, %sum, 0x9E3779B9;
  @%more st.global.u32 [%to], %sum;
  ret;
}
)";
}

// tensorpath_ceiling(rounds, to): kFmaInRound fused multiply-adds a thread and round.
inline std::string fma_kernel() {
  constexpr unsigned kSums = 16;
  std::string body;
  for (unsigned i = 0; i < kFmaInRound; ++i) {
    const std::string sum = "%f" + std::to_string(i % kSums);
    body += "  fma.rn.f32 " + sum + ", " + sum + ", %f100, %f101;\n";
  }
  return detail::head("7.0", "sm_70") + detail::rounds_entry() + detail::zeroed(kSums) +
         "  mov.u32 %rounds, %nctaid.y;\n  sub.u32 %rounds, %rounds, 1;\n"
         "  cvt.rn.f32.u32 %f100, %rounds;\n  cvt.rn.f32.u32 %f101, %rounds;\n" +
         detail::looped(body) + detail::kept(kSums);
}

// A type that matrix units multiply, as PTX spells it.
struct MatrixType {
  const char* name;  // of the dtype
  const char* ptx;
  unsigned depth;              // of a product: 32 bytes of it
  int least_capability;        // 10 x major + minor
  const char* transpositions;  // of wgmma's operands, which only 16 bits have
};
inline constexpr MatrixType kMatrixTypes[] = {{"fp16", "f16", 16, 80, ", 0, 0"},
                                              {"bf16", "bf16", 16, 80, ", 0, 0"},
                                              {"tf32", "tf32", 8, 80, ""},
                                              {"fp8_e4m3", "e4m3", 32, 89, ""}};

inline double mma_operations(const MatrixType& type) { return 2.0 * 16 * 8 * type.depth; }
inline double wgmma_operations(const MatrixType& type) { return 2.0 * 64 * 256 * type.depth; }

// tensorpath_ceiling(rounds, to): kMmaInRound products of 16 x depth by depth x 8 a warp and round.
inline std::string mma_kernel(const MatrixType& type) {
  const std::string shape = "m16n8k" + std::to_string(type.depth);
  const std::string types = std::string(".f32.") + type.ptx + "." + type.ptx + ".f32";
  std::string body;
  for (unsigned i = 0; i < kMmaInRound; ++i) {
    const std::string sums = "{" + detail::numbered("%f", 4 * i, 4) + "}";
    body += "  mma.sync.aligned." + shape + ".row.col" + types + " " + sums +
            ", {%a0, %a1, %a2, %a3}, {%b0, %b1}, " + sums + ";\n";
  }
  std::string operands = "  .reg .b32 %a<4>, %b<2>;\n";
  for (const char* name : {"%a0", "%a1", "%a2", "%a3", "%b0", "%b1"}) {
    operands += std::string("  mov.u32 ") + name + ", 0;\n";
  }
  const std::string head =
      type.least_capability > 80 ? detail::head("8.4", "sm_89") : detail::head("7.0", "sm_80");
  return head + detail::rounds_entry() + operands + detail::zeroed(4 * kMmaInRound) +
         detail::looped(body) + detail::kept(4 * kMmaInRound);
}

// tensorpath_ceiling(rounds, to): kWgmmaInRound products of 64 x depth by depth x 256 a warpgroup
// and round, both operands in shared memory; for sm_90 alone. 256 threads.
inline std::string wgmma_kernel(const MatrixType& type) {
  constexpr unsigned kSums = 128;
  const std::string shape = "m64n256k" + std::to_string(type.depth);
  const std::string product = "  wgmma.mma_async.sync.aligned." + shape + ".f32." + type.ptx + "." +
                              type.ptx + " {" + detail::numbered("%f", 0, kSums) +
                              "}, %left, %right, %all, 1, 1" + type.transpositions + ";\n";
  std::string body = "  wgmma.fence.sync.aligned;\n";
  for (unsigned i = 0; i < kWgmmaInRound; ++i) body += product;
  body += "  wgmma.commit_group.sync.aligned;\n  wgmma.wait_group.sync.aligned 0;\n";
  // Tiles without a swizzle: eight rows of sixteen bytes after one another, 128 bytes from one such
  // block to the next along the depth, 256 from eight rows to the next.
  return detail::head("8.0", "sm_90a") + ".shared .align 1024 .b8 tiles[12288];\n" +
         detail::rounds_entry(".maxntid 256, 1, 1") + R"(
  .reg .b32 %base, %i, %at;
  .reg .b64 %left, %right, %wide;
  mov.u32 %base, tiles;
  mov.u32 %i, %tid.x;
zero:
  shl.b32 %at, %i, 2;
  add.u32 %at, %at, %base;
  st.shared.u32 [%at], 0;
  add.u32 %i, %i, 256;
  setp.lt.u32 %more, %i, 3072;
  @%more bra zero;
  bar.sync 0;
  fence.proxy.async;
  shr.u32 %at, %base, 4;
  and.b32 %at, %at, 0x3FFF;
  cvt.u64.u32 %left, %at;
  mov.u64 %wide, 0x0000001000080000;
  or.b64 %left, %left, %wide;
  add.u32 %at, %base, 4096;
  shr.u32 %at, %at, 4;
  and.b32 %at, %at, 0x3FFF;
  cvt.u64.u32 %right, %at;
  or.b64 %right, %right, %wide;
  setp.eq.u32 %all, 0, 0;
)" + detail::zeroed(kSums) +
         detail::looped(body) + detail::kept(kSums);
}

// tensorpath_ceiling(): does nothing.
inline std::string empty_kernel() {
  return detail::head("7.0", "sm_70") + ".visible .entry tensorpath_ceiling()\n{\n  ret;\n}\n";
}

}  // namespace tensorpath::cuda
