// Instructions of a built kernel by family, out of real listings of the disassemblers.
#include "catch.h"

#include <tensorpath/harness/emitted_code.h>

using namespace tensorpath;

namespace {

std::int64_t count_of(const EmittedCode& code, std::string_view family) {
  for (const auto& [name, count] : code.families) {
    if (name == family) return count;
  }
  return 0;
}

constexpr std::string_view kObjdump = R"(
/tmp/build0/kernel.so:     file format elf64-x86-64

Disassembly of section .text:

0000000000001060 <tensorpath_kernel>:
    1060:	push   %rbp
    1061:	mov    %rdi,%rax
    1064:	movups (%rdi),%xmm0
    1068:	vmovaps %ymm0,(%rcx)
    106d:	vpaddd %ymm1,%ymm2,%ymm3
    1071:	vfmadd231ps %zmm1,%zmm2,%zmm0
    1077:	vfmadd132ss %xmm1,%xmm2,%xmm0
    107c:	vmovups %xmm17,(%rax)
    1083:	vaddps %ymm1,%ymm2,%ymm3{%k1}
    1089:	vaddph %zmm1,%zmm2,%zmm3
    108f:	vcvtph2ps (%rax),%ymm4
    1094:	vdpbf16ps %zmm1,%zmm2,%zmm3
    109a:	vpdpbusd %zmm1,%zmm2,%zmm3
    10a0:	vmovntps %zmm0,(%rdx)
    10a6:	prefetcht0 0x100(%rsi)
    10ad:	tdpbf16ps %tmm2,%tmm1,%tmm0
    10b2:	ldtilecfg (%rax)
    10b7:	movss  0xf41(%rip),%xmm5        # 2000 <_fini+0x9b4>
    10bf:	notrack jmp *%rax
    10c2:	ret
)";

constexpr std::string_view kNvdisasm = R"(
	.target	sm_90a
.text.transpose_tma:
        /*0000*/                   LDC R1, c[0x0][0x28] ;
        /*0010*/               @P0 LDG.E.128 R4, desc[UR4][R4.64] ;
        /*0120*/                   @!UP0 SYNCS.EXCH.64 URZ, [UR6], UR4 ;
        /*0260*/                   UTMALDG.2D [UR4], [UR10] ;
        /*0270*/                   HGMMA.64x64x16.F32 R24, gdesc[UR4], R24, gsb0 ;
        /*0280*/                   HMMA.16816.F32 R4, R8, R10, R4 ;
        /*0290*/                   LDSM.16.M88.4 R8, [R20] ;
        /*02a0*/                   LDGSTS.E.BYPASS.128 [R3], desc[UR4][R6.64] ;
        /*02b0*/                   UCGABAR_ARV ;
        /*02c0*/                   STL [R1], R0 ;
        /*02d0*/                   UTCHMMA gdesc[UR4], gdesc[UR6], tmem[UR8], tmem[UR10], idesc[UR11] ;
        /*02e0*/                   NOP;
.L_x_21:
)";

}  // namespace

TEST_CASE("instructions of the host are counted by family") {
  const EmittedCode code = count_instructions(DeviceKind::kHost, kObjdump);
  CHECK(code.instructions == 20);
  CHECK(count_of(code, "sse") == 2);
  CHECK(count_of(code, "avx") == 3);  // the store, the scalar multiply-add, the half conversion
  CHECK(count_of(code, "avx2") == 1);
  CHECK(count_of(code, "fma") == 2);
  CHECK(count_of(code, "f16c") == 1);
  CHECK(count_of(code, "avx512") == 7);
  CHECK(count_of(code, "avx512_fp16") == 1);
  CHECK(count_of(code, "avx512_bf16") == 1);
  CHECK(count_of(code, "vnni") == 1);
  CHECK(count_of(code, "nontemporal") == 1);
  CHECK(count_of(code, "prefetch") == 1);
  CHECK(count_of(code, "amx") == 2);
}

TEST_CASE("instructions of a cubin are counted by family") {
  const EmittedCode code = count_instructions(DeviceKind::kCuda, kNvdisasm);
  CHECK(code.instructions == 12);
  for (const char* family : {"wgmma", "mma", "ldmatrix", "cp_async", "tma", "mbarrier", "cluster",
                             "tcgen05", "wide_load", "local_memory"}) {
    INFO(family);
    CHECK(count_of(code, family) == 1);
  }
  CHECK(count_of(code, "stmatrix") == 0);
}

TEST_CASE("cuobjdump's encodings beside and below an instruction are no instructions") {
  const EmittedCode code = count_instructions(DeviceKind::kCuda, R"(
		Function : rmsnorm_scalar
        /*0000*/                   LDC R1, c[0x0][0x28] ;                /* 0x00000a00ff017b82 */
                                                                         /* 0x000fe20000000800 */
        /*0090*/               @P0 BRA 0x1a0 ;                           /* 0x0000000000400947 */
)");
  CHECK(code.instructions == 2);
}

TEST_CASE("what a plan expects and the compiler did not emit is named") {
  EmittedCode code = count_instructions(DeviceKind::kHost, kObjdump);
  hold_against(code, {"avx512", "fma"});
  CHECK(code.absent.empty());  // nothing was read: nothing is known to be absent
  code.tool = "objdump";
  hold_against(code, {"avx512", "fma"});
  CHECK(code.absent.empty());
  code.families.clear();
  hold_against(code, {"avx512", "fma"});
  CHECK(code.absent == std::vector<std::string>{"avx512", "fma"});
  CHECK(to_json(code).at("absent") == Json::array({"avx512", "fma"}));
}

TEST_CASE("a listing of nothing has no instructions") {
  for (const char* text : {"", "\n\n", "/**/", "  :\t", "1060:", "\t\t", "/*00*/ ;", "@P0"}) {
    INFO(text);
    CHECK(count_instructions(DeviceKind::kHost, text).families.empty());
    CHECK(count_instructions(DeviceKind::kCuda, text).families.empty());
  }
}
