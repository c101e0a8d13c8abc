// The harness's own kernels for timed calls, as text that the driver compiles for whatever GPU is
// there: PTX 7.0, which drivers since CUDA 11.0 know, for sm_70 and everything after it.
#pragma once

namespace tensorpath::cuda {

// tensorpath_words(to, step, keys, bytes, keep, set): fills `bytes` bytes of slot blockIdx.y, which
// lies `step` after the one before it, with the words of slot_contents.h under that slot's key. A
// null `keys` and a zero `keep` fill with `set`.
// tensorpath_read(from, count, to): reads `count` times sixteen bytes through the L2 cache. It
// writes `to` only for a sum that zeroed memory does not have; a compiler cannot know.
// tensorpath_idle(): does nothing.
inline constexpr char kOwnKernels[] = R"(
.version 7.0
.target sm_70
.address_size 64

.visible .entry tensorpath_words(.param .u64 to, .param .u64 step, .param .u64 keys,
                                 .param .u64 bytes, .param .u32 keep, .param .u32 set)
{
  .reg .pred %p<5>;
  .reg .b32 %r<12>;
  .reg .b64 %d<13>;
  ld.param.u64 %d1, [to];
  cvta.to.global.u64 %d1, %d1;
  ld.param.u64 %d2, [step];
  ld.param.u64 %d3, [keys];
  ld.param.u64 %d4, [bytes];
  ld.param.u32 %r1, [keep];
  ld.param.u32 %r2, [set];
  mov.u32 %r3, %ctaid.y;
  cvt.u64.u32 %d5, %r3;
  mad.lo.u64 %d1, %d5, %d2, %d1;
  mov.u32 %r4, 0;
  mov.u32 %r5, 0;
  setp.eq.u64 %p1, %d3, 0;
  @%p1 bra start;
  cvta.to.global.u64 %d3, %d3;
  shl.b64 %d6, %d5, 3;
  add.u64 %d6, %d3, %d6;
  ld.global.v2.u32 {%r4, %r5}, [%d6];
start:
  mov.u32 %r6, %ctaid.x;
  mov.u32 %r7, %ntid.x;
  mov.u32 %r8, %tid.x;
  mov.u32 %r9, %nctaid.x;
  cvt.u64.u32 %d8, %r8;
  mad.wide.u32 %d7, %r6, %r7, %d8;
  mul.wide.u32 %d9, %r9, %r7;
each:
  shl.b64 %d10, %d7, 2;
  setp.ge.u64 %p2, %d10, %d4;
  @%p2 bra done;
  cvt.u32.u64 %r10, %d7;
  add.u32 %r10, %r10, %r4;
  shr.u32 %r11, %r10, 16;
  xor.b32 %r10, %r10, %r11;
  mul.lo.u32 %r10, %r10, 0x7FEB352D;
  shr.u32 %r11, %r10, 15;
  xor.b32 %r10, %r10, %r11;
  mul.lo.u32 %r10, %r10, 0x846CA68B;
  shr.u32 %r11, %r10, 16;
  xor.b32 %r10, %r10, %r11;
  xor.b32 %r10, %r10, %r5;
  shr.u32 %r11, %r10, 16;
  xor.b32 %r10, %r10, %r11;
  mul.lo.u32 %r10, %r10, 0x7FEB352D;
  shr.u32 %r11, %r10, 15;
  xor.b32 %r10, %r10, %r11;
  mul.lo.u32 %r10, %r10, 0x846CA68B;
  shr.u32 %r11, %r10, 16;
  xor.b32 %r10, %r10, %r11;
  and.b32 %r10, %r10, %r1;
  or.b32 %r10, %r10, %r2;
  add.u64 %d11, %d1, %d10;
  sub.u64 %d12, %d4, %d10;
  setp.lt.u64 %p3, %d12, 4;
  @%p3 bra last_bytes;
  st.global.u32 [%d11], %r10;
  add.u64 %d7, %d7, %d9;
  bra each;
last_bytes:
  st.global.u8 [%d11], %r10;
  shr.u32 %r10, %r10, 8;
  add.u64 %d11, %d11, 1;
  sub.u64 %d12, %d12, 1;
  setp.ne.u64 %p4, %d12, 0;
  @%p4 bra last_bytes;
done:
  ret;
}

.visible .entry tensorpath_read(.param .u64 from, .param .u64 count, .param .u64 to)
{
  .reg .pred %p<3>;
  .reg .b32 %r<10>;
  .reg .b64 %d<9>;
  ld.param.u64 %d1, [from];
  cvta.to.global.u64 %d1, %d1;
  ld.param.u64 %d2, [count];
  ld.param.u64 %d3, [to];
  cvta.to.global.u64 %d3, %d3;
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mov.u32 %r4, %nctaid.x;
  cvt.u64.u32 %d4, %r3;
  mad.wide.u32 %d5, %r1, %r2, %d4;
  mul.wide.u32 %d6, %r4, %r2;
  mov.u32 %r5, 0;
each:
  setp.ge.u64 %p1, %d5, %d2;
  @%p1 bra done;
  shl.b64 %d7, %d5, 4;
  add.u64 %d8, %d1, %d7;
  ld.global.cg.v4.u32 {%r6, %r7, %r8, %r9}, [%d8];
  xor.b32 %r5, %r5, %r6;
  xor.b32 %r5, %r5, %r7;
  xor.b32 %r5, %r5, %r8;
  xor.b32 %r5, %r5, %r9;
  add.u64 %d5, %d5, %d6;
  bra each;
done:
  setp.eq.u32 %p2, %r5, 0x9E3779B9;
  @%p2 st.global.u32 [%d3], %r5;
  ret;
}

.visible .entry tensorpath_idle()
{
  ret;
}
)";

}  // namespace tensorpath::cuda
