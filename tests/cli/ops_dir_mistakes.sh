#!/usr/bin/env bash
# --ops DIR: every mistake in an operator from outside is named before a kernel is judged by it, and
# nothing of it is kept.
source "$(dirname "$0")/lib/forge.bash"

bad=$scratch/bad
fresh() { # a directory with the example in it
  rm -rf "$bad"
  mkdir "$bad"
  cp "$example"/l2_normalize.* "$bad"
  sed -i 's/^dtypes: .*/dtypes: [fp32]/' "$bad/l2_normalize.yaml"
}
mistake() { # STATUS WORDS...
  local wanted=$1
  shift
  run forge create --ops "$bad" --op l2_normalize
  expect_status "$wanted"
  expect_no_stdout
  for words in "$@"; do expect_stderr "$words"; done
  [ -z "$(ls -A "$cache" 2>/dev/null)" ] || fail "expected nothing in the cache"
  [ -e "$TENSORPATH_RUNS" ] && fail "expected no run"
}
edit() { sed -i "$2" "$bad/l2_normalize.$1"; }

fresh
edit yaml 's/^kind:/knid:/'
mistake 2 "$bad/l2_normalize.yaml:5:1: " "did you mean 'kind'?"
fresh
rm "$bad/l2_normalize.cpp"
mistake 2 "its reference '$bad/l2_normalize.cpp' is not there" "beside each other"
fresh
mv "$bad/l2_normalize.yaml" "$bad/l3_normalize.yaml"
mistake 2 "l3_normalize.yaml: its name is 'l2_normalize', that of its file is l3_normalize"
fresh
mv "$bad/l2_normalize.yaml" "$bad/L2 normalize.yaml"
mistake 2 "'L2 normalize' is no name of an operator"
fresh
edit cpp 's/sqrt(squares)/root(squares)/'
mistake 2 "$bad/l2_normalize.cpp:16:" "it does not compile" "'root' was not declared"
fresh
edit cpp 's/^TENSORPATH_REFERENCE.*//'
mistake 2 "registers nothing of that name" "TENSORPATH_REFERENCE(l2_normalize)"
fresh
edit cpp '1i#include "/etc/passwd"'
mistake 2 "l2_normalize.cpp:1:" "/etc/passwd: No such file"
fresh
echo 'asm(".incbin \"/etc/passwd\"");' >>"$bad/l2_normalize.cpp"
mistake 2 "it does not compile" "/etc/passwd"
fresh
edit cpp 's/call.input("x")/call.input("z")/'
mistake 2 "l2_normalize.yaml: l2_normalize fp32" "the operator's file declares no 'z'" "does not hold"
fresh
edit cpp 's/  const Tensor& x = /  throw std::runtime_error("out of ideas");\n&/'
mistake 2 "the reference of l2_normalize: out of ideas"
fresh
edit cpp 's/  const Tensor& x = /  throw 42;\n&/'
mistake 2 "the reference throws what is no std::exception"
fresh
edit cpp 's/x.at<Number>(i) /x.at<Number>(i + (std::int64_t{1} << 40)) /'
mistake 2 "its reference crashes: signal 11"
fresh
edit cpp 's/#include .*/&\n#include <cstdlib>/; s/  const Tensor& x = /  std::exit(0);\n&/'
mistake 2 "its reference ends the process it runs in"
# What no case tells from a mistake is not defined well enough to judge a kernel by.
fresh
edit cpp 's/maximum(sqrt(squares), eps)/sqrt(squares)/'
mistake 2 "l2_normalize fp32: case 13 kills no mutant" "no kernel can be judged by it"
fresh
edit cpp 's/y.set(.*/&\n      y.also(i, constant<Number>(1));\n      y.also(i, constant<Number>(-1));/'
mistake 2 "l2_normalize fp32: no case kills the mutant that accumulates in bf16" "does not hold"
fresh
edit cpp '/^namespace {/a\
#define T1 ;;;;;;;;;;;;;;;;\
#define T2 T1 T1 T1 T1 T1 T1 T1 T1 T1 T1 T1 T1 T1 T1 T1 T1\
#define T3 T2 T2 T2 T2 T2 T2 T2 T2 T2 T2 T2 T2 T2 T2 T2 T2\
#define T4 T3 T3 T3 T3 T3 T3 T3 T3 T3 T3 T3 T3 T3 T3 T3 T3\
#define T5 T4 T4 T4 T4 T4 T4 T4 T4 T4 T4 T4 T4 T4 T4 T4 T4\
#define T6 T5 T5 T5 T5 T5 T5 T5 T5 T5 T5 T5 T5 T5 T5 T5 T5\
void bomb() { T6 T6 T6 T6 }'
mistake 4 "l2_normalize.cpp: the compiler ran out of the memory it is allowed"
rm "$bad"/*
mistake 2 "there is no operator in '$bad'" "NAME.yaml and NAME.cpp"
rmdir "$bad"
mistake 2 "there is no directory '$bad'"
# All of them at once.
fresh
edit yaml 's/^kind:/knid:/'
cp "$kernels/ops/silu.yaml" "$bad"
mistake 2 "did you mean 'kind'?" "its reference '$bad/silu.cpp' is not there"

finish
