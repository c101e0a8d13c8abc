#include "seal.h"

#include "worker.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace tensorpath::worker {
namespace {

// Read by signal handlers.
std::uintptr_t reserved_begin = 0;
std::uint64_t current_nonce = 0;

constexpr std::size_t kSignalStack = 32U << 10;

extern "C" void report_fault(int signal, siginfo_t* info, void* context) {
  Reply reply = make_reply(Reply::Status::kFault, current_nonce);
  reply.signal = signal;
  reply.code = signal == SIGSYS ? info->si_syscall : info->si_code;
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  if (address >= reserved_begin && address < reserved_begin + kReserved) {
    reply.address = address - reserved_begin;
  }
  const auto* machine = static_cast<const ucontext_t*>(context);
#if defined(__x86_64__)
  const auto* at = reinterpret_cast<const unsigned char*>(  // NOLINT(performance-no-int-to-ptr)
      machine->uc_mcontext.gregs[REG_RIP]);
  if (info->si_addr != at) {
    // Only as far as the page goes: the next one may not be there.
    const std::size_t left = kPage - reinterpret_cast<std::uintptr_t>(at) % kPage;
    std::memcpy(reply.instruction, at,
                left < sizeof reply.instruction ? left : sizeof reply.instruction);
  }
#endif
  send_reply(reply);
  ::syscall(SYS_exit_group, 128 + signal);
}

#define LOAD(field) \
  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offsetof(seccomp_data, field)))
#define LOAD_ARGUMENT(n)             \
  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
           static_cast<unsigned>(offsetof(seccomp_data, args) + std::size_t{8} * (n)))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP)
// Skips `count` instructions unless equal.
#define UNLESS(value, count) \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(value), 0, count)

}  // namespace

void report_faults(const void* reserved) {
  reserved_begin = reinterpret_cast<std::uintptr_t>(reserved);
  struct sigaction action {};
  action.sa_sigaction = report_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS}) {
    ::sigaction(signal, &action, nullptr);
  }
  on_thread_start();
}

void set_current_nonce(std::uint64_t nonce) { current_nonce = nonce; }

void on_thread_start() {
  stack_t stack{};
  stack.ss_size = kSignalStack;
  stack.ss_sp =
      ::mmap(nullptr, kSignalStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack.ss_sp != MAP_FAILED) ::sigaltstack(&stack, nullptr);
}

bool trap_timers() {
#if defined(__x86_64__)
  return ::prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) == 0;
#else
  return true;
#endif
}

bool refuse_system_calls() {
  const auto filter = std::to_array<sock_filter>({
      LOAD(arch),
      UNLESS(AUDIT_ARCH_X86_64, 1),
      BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
      REFUSE,
      LOAD(nr),
      // recv and send, on the socket only
      UNLESS(SYS_recvfrom, 4),
      LOAD_ARGUMENT(0),
      UNLESS(kSocket, 1),
      ALLOW,
      REFUSE,
      UNLESS(SYS_sendto, 4),
      LOAD_ARGUMENT(0),
      UNLESS(kSocket, 1),
      ALLOW,
      REFUSE,
      UNLESS(SYS_futex, 1),
      ALLOW,
      UNLESS(SYS_exit_group, 1),
      ALLOW,
      UNLESS(SYS_exit, 1),
      ALLOW,
      UNLESS(SYS_rt_sigreturn, 1),
      ALLOW,
      UNLESS(SYS_sched_yield, 1),
      ALLOW,
      UNLESS(SYS_restart_syscall, 1),
      ALLOW,
      // mmap: no access at all, or pages of the arena, never executable, at a fixed place
      UNLESS(SYS_mmap, 9),
      LOAD_ARGUMENT(2),
      UNLESS(PROT_NONE, 1),
      ALLOW,
      UNLESS(PROT_READ | PROT_WRITE, 5),
      LOAD_ARGUMENT(4),
      UNLESS(kArena, 3),
      LOAD_ARGUMENT(3),
      UNLESS(MAP_SHARED | MAP_FIXED, 1),
      ALLOW,
      REFUSE,
  });
  sock_fprog program{};
  program.len = static_cast<unsigned short>(filter.size());
  program.filter = const_cast<sock_filter*>(filter.data());
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

}  // namespace tensorpath::worker
