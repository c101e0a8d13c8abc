// What closes the worker before it runs a candidate: the filter of system calls and the handlers
// that say what a candidate died of.
#pragma once

#include <cstdint>

namespace tensorpath::worker {

// Reports faults over the socket: signal, place, instruction. Addresses are told from `reserved`
// on. To be called once, and on_thread_start() by each thread, which gets a signal stack of its
// own.
void report_faults(const void* reserved);
void set_current_nonce(std::uint64_t nonce);
void on_thread_start();

// rdtsc and rdtscp fault in this thread and those it starts later.
[[nodiscard]] bool trap_timers();

// From here on every thread may only: talk on the socket, wait for and wake each other, map pages
// of the arena or take them away, and end. Everything else is a fault that names the system call.
[[nodiscard]] bool refuse_system_calls();

}  // namespace tensorpath::worker
