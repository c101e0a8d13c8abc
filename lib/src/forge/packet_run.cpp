#include "measurement.h"
#include "packet_files.h"

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/yaml.h>
#include <tensorpath/evidence/file_hash.h>
#include <tensorpath/evidence/harness_digest.h>
#include <tensorpath/forge/packet_run.h>

namespace tensorpath::forge {
namespace {

constexpr const char* kReplay = "tensorpath replay --level verify PACKET";

Status add(std::vector<PacketFile>& files, const std::string& from, std::string path) {
  auto contents = read_file(from);
  if (!contents) return tl::unexpected(contents.error());
  files.push_back({std::move(path), std::move(*contents)});
  return {};
}

// Runs of `forge bench` that the ledger knows of; what a killed one left is none.
bool is_recorded(const LedgerHistory& ledger, int attempt, const std::string& digest) {
  for (const LedgerEntry* entry : ledger.entries_of(attempt)) {
    const auto named = entry->data.find(kSamplesDigest);
    if (named != entry->data.end() && *named == digest) return true;
  }
  return false;
}

Status add_attempt(std::vector<PacketFile>& files, const std::string& directory,
                   const LedgerHistory& ledger, int attempt) {
  const std::string candidate = path_join(directory, "candidate");
  for (const std::string& name : list_files(candidate, "")) {
    Status added = add(files, path_join(candidate, name), "candidate/" + name);
    if (!added) return added;
  }
  for (const std::string_view name : {std::string_view("report.json"), kAuditFile}) {
    const std::string path = path_join(directory, std::string(name));
    if (!file_exists(path)) continue;
    if (Status added = add(files, path, std::string(name)); !added) return added;
  }
  for (const std::string& bench : list_directories(directory)) {
    const std::string samples = path_join(path_join(directory, bench), "samples.bin");
    if (!bench.starts_with("bench-") || !file_exists(samples)) continue;
    const auto digest = sha256_file(samples);
    if (!digest) return tl::unexpected(digest.error());
    if (!is_recorded(ledger, attempt, *digest)) continue;
    for (const char* name : {"bench.json", "samples.bin"}) {
      Status added = add(files, path_join(path_join(directory, bench), name), bench + "/" + name);
      if (!added) return added;
    }
  }
  return {};
}

// The definition of the operator that the task was made with, where it is here.
void add_operator(std::vector<PacketFile>& files, const Operators& operators,
                  const LedgerHistory& ledger) {
  const Json& created = ledger.entries().front().data;
  const auto op = operators.find(created.value("op", ""));
  if (op && (*op)->digest == created.value("operator_digest", "")) {
    files.push_back({"operator.yaml", (*op)->definition});
  }
}

Expected<PacketSources> collect(const RunDirectory& run, const LedgerHistory& ledger,
                                const Operators& operators, const PacketRequest& request,
                                int attempt) {
  PacketSources sources;
  sources.run_id = run.id();
  sources.attempt = attempt;
  auto digest = harness_digest();
  if (!digest) return tl::unexpected(digest.error());
  sources.identity = {"kernel",          {}, utc_text(request.created), kReplay, request.version,
                      std::move(*digest)};
  for (const char* name : {"task.yaml", "ledger.jsonl", "contract.md"}) {
    if (!file_exists(run.file(name))) continue;
    if (const Status added = add(sources.files, run.file(name), name); !added) {
      return tl::unexpected(added.error());
    }
  }
  add_operator(sources.files, operators, ledger);
  if (attempt == 0) return sources;
  const Status added = add_attempt(sources.files, run.attempt_path(attempt), ledger, attempt);
  if (!added) return tl::unexpected(added.error());
  return sources;
}

}  // namespace

std::string next_packet(const std::string& attempt_directory) {
  std::string path = path_join(attempt_directory, "packet");
  for (int i = 2; directory_exists(path); ++i) {
    path = path_join(attempt_directory, fmt::format("packet-{}", i));
  }
  return path;
}

Expected<Packet> packet_of(const RunDirectory& run, const LedgerHistory& ledger,
                           const Operators& operators, int attempt, const PacketRequest& request) {
  const auto sources = collect(run, ledger, operators, request, attempt);
  if (!sources) return tl::unexpected(sources.error());
  return assemble_packet(*sources);
}

Expected<AttemptPacket> packet_run(const RunDirectory& run, const Operators& operators,
                                   const PacketRequest& request, const SigningKey* key) {
  const auto lock = run.lock("packet");
  if (!lock) return tl::unexpected(lock.error());
  const auto ledger = run.read_ledger();
  if (!ledger) return tl::unexpected(ledger.error());
  // Without an attempt it is of the run: what was asked for, and that nothing came of it.
  const int attempt = request.attempt > 0 ? request.attempt : ledger->attempts();
  const auto state = ledger->state_of(attempt);
  if (!state) return tl::unexpected(state.error());
  const auto packet = packet_of(run, *ledger, operators, attempt, request);
  if (!packet) return tl::unexpected(packet.error());
  AttemptPacket out{attempt, state_sentence(*state),
                    request.out.empty()
                        ? next_packet(attempt == 0 ? run.path() : run.attempt_path(attempt))
                        : request.out,
                    packet->predicate()};
  if (const Status written = write_packet(out.directory, *packet, key); !written) {
    return tl::unexpected(written.error());
  }
  return out;
}

}  // namespace tensorpath::forge
