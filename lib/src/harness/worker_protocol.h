// What the harness and tensorpath-worker say to each other, over a SEQPACKET socket (descriptor 3)
// and one shared memory file, the arena (descriptor 4). Both ends are one build on one machine.
// The worker is not trusted once a candidate is loaded: the harness believes nothing of a reply but
// that it came; what a call did is read from the arena, while the worker is stopped.
//
// A request is a RequestHeader, its buffers, its words or launches with their arguments, in this
// order, each an array of the structures below. The reply is one Reply.
#pragma once

#include <cstdint>

namespace tensorpath::worker {

inline constexpr int kSocket = 3;
inline constexpr int kArena = 4;
inline constexpr std::uint32_t kMagic = 0x54505732;  // "TPW2"
inline constexpr std::size_t kMaxRequest = 64U << 10;
inline constexpr std::uint32_t kMaxBuffers = 32;
inline constexpr std::uint32_t kMaxWords = 96;
inline constexpr std::uint32_t kMaxLaunches = 64;
inline constexpr std::uint32_t kMaxArguments = 64;
inline constexpr std::uint32_t kMaxLaunchWords = 512;  // of all launches of a request
inline constexpr std::uint64_t kPage = 4096;
// Address space set aside for buffers, all of it unmapped but for those of the call: a step past a
// buffer's pages faults wherever they lie. A page number in it is what `page` below counts.
inline constexpr std::uint64_t kReserved = 1ULL << 36;
// cuda: memory is mapped in steps of this; a buffer's first page is a multiple of it and so is its
// span.
inline constexpr std::uint64_t kDevicePage = 2ULL << 20;

enum class Role : std::uint32_t { kInput, kOutput, kWorkspace };

// Timed calls of cuda: what a slot's buffer holds before each sample. Words are those of
// slot_contents.h: a hash of a key and a counter, masked; bases are drawn by the harness.
enum class Fill : std::uint32_t { kPoison, kWords, kBase };

struct Buffer {
  std::uint64_t arena_offset;  // of its first page in the arena
  std::uint64_t pages;         // mapped; the data lies somewhere in them
  std::uint64_t page;          // where in the reservation (host)
  std::uint64_t data_offset;   // of the data from the first page
  std::uint64_t bytes;
  Role role;
  std::uint32_t at_end;  // cuda: flush against the end of the mapping, else at its start
  std::uint32_t zeroed;  // timed calls: the worker zeroes it, inside the timed span
  Fill fill;
  std::uint32_t keep;  // kWords
  std::uint32_t set;
};

// One argument: of the host entry's struct (all are eight bytes) or of a launch.
struct Word {
  enum class Kind : std::uint32_t { kBuffer, kInt64, kDouble, kInt32, kFloat, kTensorMap };
  Kind kind;
  std::uint32_t reserved;
  std::uint64_t value;  // index of the buffer or map, or the bits of the number
};

struct Launch {
  char kernel[128];
  std::uint32_t grid[3];
  std::uint32_t block[3];
  std::uint32_t cluster[3];  // 1, 1, 1: none
  std::uint32_t shared_bytes;
  std::uint32_t words;
};

// A TMA tensor map (cuTensorMapEncodeTiled): strides in bytes, innermost dim first.
struct TensorMap {
  std::uint32_t buffer;
  std::uint32_t type;  // CUtensorMapDataType
  std::uint32_t rank;
  std::uint32_t swizzle;
  std::uint64_t dims[5];
  std::uint64_t strides[4];
  std::uint32_t box[5];
  std::uint32_t element_strides[5];
};

// What a request is for. All but the first are of timed calls on cuda, each sent after the reply to
// the one before, and consist of a header alone except for kLayOut.
enum class Ask : std::uint32_t {
  kCall,
  kLayOut,   // `slots` copies of the call's buffers in device memory
  kWrite,    // new contents into the first `slots` slots, by the keys in the arena; prepare
  kArm,      // make a graph of the calls of the first `slots` numbers of the arena's order
  kArmIdle,  // make a graph of `slots` launches of a kernel of ours that does nothing
  kFlush,    // take everything out of the cache
  kRun,      // launch the graph, wait; the reply has the time between its first and last node
  kFetch,    // copy slot number `slots` into the arena
};

struct RequestHeader {
  std::uint32_t magic;
  std::uint32_t buffers;
  std::uint64_t nonce;
  std::uint64_t schedule;    // host: seeds which thread runs which task, and in which order
  std::uint32_t words;       // host; cuda: of all launches together
  std::uint32_t launches;    // cuda
  std::uint32_t maps;        // cuda
  std::uint32_t prepare;     // cuda: how many of the launches come first and are not timed
  std::uint32_t slots;       // host: 0, or the worker is to serve the mailbox; cuda: see Ask
  std::uint32_t slot_pages;  // from one slot to the next
  Ask ask;
  std::uint32_t poison;  // kWrite: a byte
  std::uint32_t bases;   // kLayOut: how many each buffer of Fill::kBase has in the arena
  std::uint32_t reserved;
};

// Timed calls of the host. The arena is this page and then `slots` copies of the call's buffers,
// `slot_pages` apart, which the worker maps as they lie. It answers kDone once, spins on `request`,
// and for each new number runs the slots of `order` and writes the number to `done`, until it is to
// leave. The harness stops the worker whenever it is not being timed.
inline constexpr std::uint32_t kMaxSlots = 1024;
inline constexpr unsigned char kSlotCanary = 0xC3;  // between the buffers of a slot
struct Mailbox {
  std::uint64_t request;
  std::uint64_t done;
  std::uint64_t schedule;
  std::uint32_t leave;
  std::uint32_t count;
  std::uint16_t order[kMaxSlots];
};
static_assert(sizeof(Mailbox) <= kPage);

// Timed calls of cuda. The arena is a page with a Mailbox, of which `order` is used; the pages of
// one slot, for kFetch; kMaxSlots keys of each buffer, slot by slot; and the bases, for which a
// buffer's `arena_offset` is that of its first and `pages` the step to its next.

struct Reply {
  enum class Status : std::uint32_t {
    kReady,  // the code is loaded; sent once, before the first request
    kDone,
    kFault,    // a signal; sent from its handler, the worker ends
    kLoad,     // the code does not load
    kAbsent,   // a baseline with a library says that it cannot run here, and why
    kDevice,   // cuda: a call of the driver failed; `code` is its CUresult
    kRequest,  // the request makes no sense
  };
  std::uint32_t magic;
  Status status;
  std::uint64_t nonce;
  std::int32_t signal;
  std::int32_t code;             // si_code, system call number or CUresult
  std::uint64_t address;         // of the fault, from the reservation's start; ~0: outside it
  std::uint8_t instruction[16];  // at the fault
  std::uint64_t nanoseconds;     // cuda: between the events around the launches
  char text[160];                // of the loader or driver, for the log
};

}  // namespace tensorpath::worker
