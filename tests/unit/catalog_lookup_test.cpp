// Looking up: the user's data before the shipped, prices by region and count, models from outside.
#include "catch.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <tensorpath/catalog.h>

using namespace tensorpath;
namespace fs = std::filesystem;

namespace {

const std::string kShipped = TENSORPATH_SOURCE_DIR "/data";

class Scratch {
 public:
  Scratch() {
    std::string pattern = (fs::temp_directory_path() / "catalog_lookup_XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Scratch() { fs::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::string write(const std::string& file, const std::string& text) const {
    const fs::path path = fs::path(path_) / file;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }
  [[nodiscard]] std::string operator/(const std::string& part) const {
    return (fs::path(path_) / part).string();
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Sets an environment variable for the length of a test.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) {
      before_ = before;
    }
    setenv(name, value.c_str(), 1);
  }
  ~Environment() {
    if (before_) {
      setenv(name_, before_->c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

Catalog load(const std::vector<std::string>& directories) {
  auto catalog = Catalog::load(directories);
  if (!catalog) {
    FAIL(catalog.error().to_string());
  }
  return std::move(*catalog);
}

std::string h100_with_bandwidth(const std::string& name, int gb_s) {
  return "schema: tensorpath.gpu/v1\nname: " + name +
         "\ntitle: Mine\naliases: [mine]\nvendor: nvidia\narchitecture: sm_90\nfamily: hopper\n"
         "market: datacenter\nhbm_bytes: 85520809984\nhbm_gb_s: " +
         std::to_string(gb_s) +
         "\nl2_mib: 50\nsm_count: 132\n"
         "dense_tflops: {fp32: 66.9, bf16: 989.4, fp16: 989.4, fp8: 1978.9, int8: 1978.9, fp4: "
         "null}\n"
         "link: {kind: nvlink, gb_s_per_direction: 450, domain_gpus: 8}\nscale_out_gb_s: 50\n"
         "power_w: 700\ngpus_per_node: 8\nsources:\n"
         "  - {figures: [\"*\"], text: \"a test\", date: 2026-11}\n";
}

std::string price_rows(const std::string& rows) {
  return "schema: tensorpath.prices/v1\nprices:\n" + rows;
}

std::string price_row(const std::string& gpu, double usd, const std::string& region, int min_gpus) {
  return "  - {gpu: " + gpu + ", usd_per_gpu_hour: " + std::to_string(usd) +
         ", provider: Mine, region: " + region +
         ", commitment: on_demand, date: 2026-11-01, min_gpus: " + std::to_string(min_gpus) +
         ", source: \"a test\"}\n";
}

const std::string kConfig = R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama",
  "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
  "num_key_value_heads": 2, "vocab_size": 100, "max_position_embeddings": 512,
  "tie_word_embeddings": false, "torch_dtype": "bfloat16"})";

}  // namespace

TEST_CASE("a GPU in a directory of one's own joins the shipped ones") {
  const Scratch mine;
  mine.write("gpus/my_gpu.yaml", h100_with_bandwidth("my_gpu", 1234));
  const Catalog catalog = load({mine.path(), kShipped});
  REQUIRE(catalog.find_gpu("my-gpu") != nullptr);
  CHECK(catalog.find_gpu("MINE")->name == "my_gpu");
  CHECK(catalog.find_gpu("h200") != nullptr);
}

TEST_CASE("the first directory wins for equal names") {
  const Scratch mine;
  mine.write("gpus/h100_sxm.yaml", h100_with_bandwidth("h100_sxm", 1234));
  CHECK(load({mine.path(), kShipped}).find_gpu("h100_sxm")->hbm_bytes_s == Approx(1234e9));
  CHECK(load({kShipped, mine.path()}).find_gpu("h100_sxm")->hbm_bytes_s == Approx(3350e9));
}

TEST_CASE("an unknown name is answered with the nearest") {
  Catalog catalog = load({kShipped});
  const auto gpu = catalog.gpu("h20");
  REQUIRE_FALSE(gpu);
  CHECK(gpu.error().to_string().find("h200") != std::string::npos);
  const auto model = catalog.model("lama-3.1-70b");
  REQUIRE_FALSE(model);
  CHECK(model.error().to_string().find("llama-3.1-70b") != std::string::npos);
  CHECK(model.error().to_string().find("config.json") != std::string::npos);
}

TEST_CASE("the lowest price that fits the request") {
  const Scratch mine;
  mine.write("gpus/g.yaml", h100_with_bandwidth("g", 1000));
  mine.write("pricing/p.yaml",
             price_rows(price_row("mine", 5, "us-east", 1) + price_row("g", 3, "us-east", 8) +
                        price_row("g", 4, "any", 1) + price_row("g", 1, "eu-west", 1)));
  const Catalog catalog = load({mine.path()});
  const Gpu& gpu = *catalog.find_gpu("g");
  SECTION("one GPU cannot have the price of a node") {
    CHECK(catalog.price(gpu, "us-east", "on_demand", 1)->usd_per_gpu_hour == 4);
  }
  SECTION("eight can") {
    CHECK(catalog.price(gpu, "us-east", "on_demand", 8)->usd_per_gpu_hour == 3);
  }
  SECTION("whole nodes are billed: nine GPUs cost less one by one, fifteen as two nodes") {
    CHECK(catalog.price(gpu, "us-east", "on_demand", 9)->usd_per_gpu_hour == 4);
    CHECK(catalog.price(gpu, "us-east", "on_demand", 15)->usd_per_gpu_hour == 3);
  }
  SECTION("another region's offers do not count, those of any region do") {
    CHECK(catalog.price(gpu, "ap-south", "on_demand", 8)->usd_per_gpu_hour == 4);
  }
  SECTION("region any takes the best of all") {
    CHECK(catalog.price(gpu, "any", "on_demand", 1)->usd_per_gpu_hour == 1);
  }
  SECTION("no offer under that commitment") {
    CHECK(catalog.price(gpu, "us-east", "spot", 8) == nullptr);
  }
}

TEST_CASE("prices of one's own come before the shipped ones, dearer or not") {
  const Scratch mine;
  Catalog catalog = load({kShipped});
  const Gpu& gpu = *catalog.find_gpu("h100_sxm");
  const double shipped = catalog.price(gpu, "us-east", "on_demand", 8)->usd_per_gpu_hour;
  const std::string file = mine.write("mine.yaml", price_rows(price_row("h100", 99, "any", 1)));
  REQUIRE(catalog.add_prices(file));
  CHECK(catalog.price(gpu, "us-east", "on_demand", 8)->usd_per_gpu_hour == 99);
  CHECK(shipped < 99);
  SECTION("the last file read wins") {
    const std::string later = mine.write("later.yaml", price_rows(price_row("h100", 77, "any", 1)));
    REQUIRE(catalog.add_prices(later));
    CHECK(catalog.price(gpu, "us-east", "on_demand", 8)->usd_per_gpu_hour == 77);
  }
  SECTION("other GPUs keep theirs") {
    CHECK(catalog.price(*catalog.find_gpu("h200"), "us-east", "on_demand", 8) != nullptr);
  }
  SECTION("an unknown GPU is refused and nothing is added") {
    const std::size_t before = catalog.prices().size();
    CHECK_FALSE(catalog.add_prices(
        mine.write("bad.yaml", price_rows(price_row("no_such_gpu", 1, "any", 1)))));
    CHECK(catalog.prices().size() == before);
  }
}

TEST_CASE("a price list that names its month only counts from the month's first day") {
  const Scratch mine;
  Catalog catalog = load({kShipped});
  std::string row = price_row("h100", 9, "any", 1);
  row.replace(row.find("2026-11-01"), 10, "2026-10");
  REQUIRE(catalog.add_prices(mine.write("p.yaml", price_rows(row))));
  CHECK(catalog.prices().front().date == "2026-10-01");
}

TEST_CASE("dates count days") {
  CHECK(days_of_date("1970-01-01") == 0);
  CHECK(days_of_date("2000-03-01") == 11017);
  CHECK(days_of_date("2024-02-29") == days_of_date("2024-02-28").value() + 1);
  CHECK(days_of_date("2026-11-20").value() - days_of_date("2026-08-22").value() == 90);
  for (const char* bad : {"2026-11", "2026-02-29", "2026-13-01", "2026-1-01", "26-01-01x", ""}) {
    CAPTURE(bad);
    CHECK_FALSE(days_of_date(bad).has_value());
  }
}

TEST_CASE("a model from a config.json, by file or directory") {
  const Scratch mine;
  const std::string file = mine.write("My Model-7B/config.json", kConfig);
  Catalog catalog = load({kShipped});
  const auto by_file = catalog.model(file);
  REQUIRE(by_file);
  CHECK((*by_file)->layers == 2);
  CHECK((*by_file)->name == "my-model-7b");
  SECTION("the same file is the same model") {
    CHECK(*catalog.model(mine / "My Model-7B") == *by_file);
  }
  SECTION("its name finds it from then on") {
    CHECK(catalog.find_model("my-model-7b") == *by_file);
  }
  SECTION("another directory of that name is another model") {
    mine.write("elsewhere/My Model-7B/config.json", kConfig);
    const auto other = catalog.model(mine / "elsewhere/My Model-7B");
    REQUIRE(other);
    CHECK((*other)->name == "my-model-7b-2");
  }
  SECTION("a directory without one says so") {
    fs::create_directories(mine / "empty");
    const auto none = catalog.model(mine / "empty");
    REQUIRE_FALSE(none);
    CHECK(none.error().to_string().find("config.json") != std::string::npos);
  }
}

TEST_CASE("a Hugging Face id comes from the local cache") {
  const Scratch home;
  const std::string repository = "hub/models--acme--Tiny-1B/";
  home.write(repository + "snapshots/aaaa/config.json", kConfig);
  std::string newer = kConfig;
  newer.replace(newer.find("\"num_hidden_layers\": 2"), 22, "\"num_hidden_layers\": 3");
  home.write(repository + "snapshots/bbbb/config.json", newer);
  home.write(repository + "refs/main", "aaaa\n");
  Catalog catalog = load({kShipped});

  SECTION("under HF_HOME, the revision that refs/main names") {
    const Environment no_hub("HF_HUB_CACHE", "");
    const Environment hf_home("HF_HOME", home.path());
    const auto model = catalog.model("acme/Tiny-1B");
    INFO((model ? "" : model.error().to_string()));
    REQUIRE(model);
    CHECK((*model)->layers == 2);
    CHECK((*model)->huggingface == "acme/Tiny-1B");
    CHECK((*model)->name == "tiny-1b");
  }
  SECTION("under HF_HUB_CACHE, and without a ref the last revision") {
    fs::remove(home / (repository + "refs/main"));
    const Environment hub("HF_HUB_CACHE", home / "hub");
    const auto model = catalog.model("acme/Tiny-1B");
    REQUIRE(model);
    CHECK((*model)->layers == 3);
  }
  SECTION("an id does not lead out of the cache") {
    const Environment hub("HF_HUB_CACHE", home / "hub/models--acme--Tiny-1B");
    CHECK_FALSE(catalog.model("../snapshots"));
    CHECK_FALSE(catalog.model("acme/.."));
  }
}
