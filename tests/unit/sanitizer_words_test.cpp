// What the author is told of a sanitizer's report: the fault and its place, nothing of the case.
#include "harness/sanitizer_words.h"

#include "catch.h"

using namespace tensorpath;

TEST_CASE("a fault and its place in the source are told, sizes and addresses are not") {
  CHECK(
      sanitizer_words(
          "=================================================================\n"
          "==29891==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x619000000484 at pc "
          "0x562304ec55e1 bp 0x7ffc03743fe0 sp 0x7ffc03743fd8\n"
          "READ of size 4 at 0x619000000484 thread T0\n"
          "    #0 0x562304ec55e0 in tensorpath_kernel(int) /tmp/run-81/source/kernel.cpp:5:31\n"
          "    #1 0x7fc51cc45249 in __libc_start_call_main ../sysdeps/libc_start_call_main.h:58\n"
          "\n"
          "0x619000000484 is located 0 bytes to the right of 1028-byte region [0x6190,0x6194)\n"
          "SUMMARY: AddressSanitizer: heap-buffer-overflow source/kernel.cpp:5\n"
          "  0x0c327fff8040: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n") ==
      "==N==ERROR: AddressSanitizer: heap-buffer-overflow on address N at pc N bp N sp N\n"
      "READ of size N at N thread T0\n"
      "#N N in tensorpath_kernel(int) kernel.cpp:5:31\n"
      "N is located N bytes to the right of N-byte region [N,N)");
}

TEST_CASE("values of a hidden case are not told") {
  CHECK(sanitizer_words("/tmp/x7/source/kernel.cpp:6:54: runtime error: signed integer overflow: "
                        "7 + 2147483647 cannot be represented in type 'int32_t'\n") ==
        "kernel.cpp:6:54: runtime error: signed integer overflow: N + N cannot be represented in "
        "type 'int32_t'");
  CHECK(sanitizer_words("kernel.cpp:7:58: runtime error: -6.25e+30 is outside the range of "
                        "representable values of type 'int'\n") ==
        "kernel.cpp:7:58: runtime error: -N+N is outside the range of representable values of type "
        "'int'");
}

TEST_CASE("a race is told with both its places") {
  CHECK(sanitizer_words("==================\n"
                        "WARNING: ThreadSanitizer: data race (pid=29900)\n"
                        "  Read of size 4 at 0x55ab596c90a0 by main thread:\n"
                        "    #0 operator() /usr/include/c++/12/bits/std_thread.h:142 (t+0x141e)\n"
                        "    #1 main source/kernel.cpp:11 (t+0x141e)\n"
                        "  Previous write of size 4 at 0x55ab596c90a0 by thread T1:\n"
                        "    #0 task source/kernel.cpp:12 (t+0x1264)\n"
                        "ThreadSanitizer: reported 1 warnings\n") ==
        "WARNING: ThreadSanitizer: data race (pid=N)\n"
        "Read of size N at N by main thread:\n"
        "#N main kernel.cpp:11 (t+N)\n"
        "Previous write of size N at N by thread T1:\n"
        "#N task kernel.cpp:12 (t+N)");
}

TEST_CASE("the words of compute-sanitizer, without the harness's own frames") {
  CHECK(sanitizer_words("========= COMPUTE-SANITIZER\n"
                        "========= Invalid __global__ read of size 4 bytes\n"
                        "=========     at run(const float *)+0x120 in /build/x/kernel.cu:7\n"
                        "=========     by thread (31,0,0) in block (12,0,0)\n"
                        "=========     Host Frame: cuLaunchKernelEx [0x2c7] in libcuda.so.1\n") ==
        "========= COMPUTE-SANITIZER\n"
        "========= Invalid __global__ read of size N bytes\n"
        "=========     at run(const float *)+N in kernel.cu:7\n"
        "=========     by thread (N,N,N) in block (N,N,N)");
}

TEST_CASE("a report without end, or of another kind, stays short") {
  std::string flood;
  for (int i = 0; i < 1000; ++i) flood += "kernel.cpp:1:1: runtime error: load of null pointer\n";
  CHECK(sanitizer_words(flood).size() < 1000);
  CHECK(sanitizer_words("rows=17\n") ==
        "the sanitizer ended the process and said nothing that can be told");
  CHECK(sanitizer_words("") == sanitizer_words("rows=17\n"));
}
