#include "packet_rules.h"

#include "packet_schema.h"

#include <algorithm>

#include <fmt/format.h>

#include <tensorpath/base/clock.h>
#include <tensorpath/evidence/packet.h>

namespace tensorpath {
namespace {

void check_subjects(const Json& subjects, std::vector<SchemaMistake>& out) {
  std::string before;
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    const auto& name = subjects[i].at("name").get_ref<const std::string&>();
    const std::string where = fmt::format("/subject/{}/name", i);
    if (!is_subject_name(name)) {
      out.push_back({where, fmt::format("{} is no file of a packet", quote_input(name))});
    }
    if (i > 0 && name <= before) {
      out.push_back({where, fmt::format("{} comes after {}: names are in order, and each one once",
                                        quote_input(name), quote_input(before))});
    }
    before = name;
  }
}

void check_gaps(const Json& predicate, std::vector<SchemaMistake>& out) {
  const Json& gaps = predicate.at("not_measured");
  for (const std::string_view block : kBlocks) {
    const bool named = std::any_of(gaps.begin(), gaps.end(),
                                   [&](const Json& gap) { return gap.at("what") == block; });
    const bool empty = predicate.at(std::string(block)).is_null();
    if (empty && !named) {
      out.push_back(
          {"/predicate/not_measured", fmt::format("{} is null, and nothing here says why", block)});
    }
    if (!empty && named) {
      out.push_back({"/predicate/not_measured", fmt::format("{} is there, not a gap", block)});
    }
  }
}

}  // namespace

bool is_subject_name(std::string_view name) {
  if (name == kPacketFile || name == kEnvelopeFile) return false;
  for (std::size_t from = 0; from <= name.size();) {
    const std::size_t end = std::min(name.find('/', from), name.size());
    const std::string_view part = name.substr(from, end - from);
    if (part.empty() || part.front() == '.') return false;
    from = end + 1;
  }
  return std::all_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != '\\' && c != 0x7F;
  });
}

std::vector<SchemaMistake> packet_mistakes(const Json& statement, std::string_view text) {
  std::vector<SchemaMistake> out = check_schema(packet_schema(), statement);
  // The rules below read fields that the schema has found.
  if (!out.empty()) return out;
  check_subjects(statement.at("subject"), out);
  const Json& predicate = statement.at("predicate");
  check_gaps(predicate, out);
  const Json& self = predicate.at("packet");
  if (predicate.contains(kProfileBlock) != (self.at("kind") == kProfileBlock)) {
    out.push_back({"/predicate/profile", "is there for a packet of a profile, and for no other"});
  }
  if (!parse_utc(self.at("created").get<std::string>())) {
    out.push_back({"/predicate/packet/created", "is no time that a calendar has"});
  }
  if (self.at("content_digest") != content_digest(statement)) {
    out.push_back(
        {"/predicate/packet/content_digest",
         "is not the digest of what is here: something was changed after it was written"});
  }
  if (canonical_text(statement) != text) {
    out.push_back({"", "is not its own canonical text: it was written again by something else"});
  }
  return out;
}

}  // namespace tensorpath
