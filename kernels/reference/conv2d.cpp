// y = x (*) weight + bias, images in NCHW, not flipped (a cross-correlation), zeros around.
#include <vector>

#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

// The part of an image under the kernel at one place, in the order of a weight's elements.
struct Patch {
  std::vector<double> values;
  std::vector<unsigned char> outside;  // 1: in the padding
  bool padded = false;
};

class Images {
 public:
  explicit Images(const Call& call)
      : x_(call.input("x")),
        channels_(call.dim("in_channels") / call.dim("groups")),
        kernel_h_(call.dim("kernel_h")),
        kernel_w_(call.dim("kernel_w")),
        stride_(call.dim("stride")),
        padding_(call.dim("padding")),
        dilation_(call.dim("dilation")) {}

  [[nodiscard]] std::int64_t patch_size() const { return channels_ * kernel_h_ * kernel_w_; }

  void read(std::int64_t image, std::int64_t group, std::int64_t row, std::int64_t column,
            Patch& patch) const {
    const std::int64_t height = x_.dim(2);
    const std::int64_t width = x_.dim(3);
    patch.values.clear();
    patch.outside.clear();
    patch.padded = false;
    for (std::int64_t c = 0; c < channels_; ++c) {
      const std::int64_t plane = (image * x_.dim(1) + group * channels_ + c) * height * width;
      for (std::int64_t i = 0; i < kernel_h_; ++i) {
        const std::int64_t h = row * stride_ - padding_ + i * dilation_;
        for (std::int64_t j = 0; j < kernel_w_; ++j) {
          const std::int64_t w = column * stride_ - padding_ + j * dilation_;
          const bool inside = h >= 0 && h < height && w >= 0 && w < width;
          patch.values.push_back(inside ? x_[plane + h * width + w] : 0);
          patch.outside.push_back(inside ? 0 : 1);
          patch.padded = patch.padded || !inside;
        }
      }
    }
  }

 private:
  const Tensor& x_;
  std::int64_t channels_;
  std::int64_t kernel_h_;
  std::int64_t kernel_w_;
  std::int64_t stride_;
  std::int64_t padding_;
  std::int64_t dilation_;
};

// The weights of one output channel that meet an image, those that meet padding taken for zero.
std::vector<double> weights_inside(const Patch& patch, const Tensor& weight, std::int64_t begin) {
  std::vector<double> weights;
  for (std::size_t i = 0; i < patch.values.size(); ++i) {
    weights.push_back(patch.outside[i] != 0 ? 0 : weight[begin + static_cast<std::int64_t>(i)]);
  }
  return weights;
}

template <typename Number>
void conv2d(const Call& call) {
  const Tensor& weight = call.input("weight");
  const Tensor& bias = call.input("bias_values");
  const Output& y = call.output("y");
  const Images images(call);
  const std::int64_t size = images.patch_size();
  const std::int64_t groups = call.dim("groups");
  const std::int64_t group_channels = call.dim("out_channels") / groups;
  const std::int64_t places = y.shape[2] * y.shape[3];
  const bool biased = call.attribute("bias") != 0;
  call.for_each(call.dim("batch") * groups * places, [&](std::int64_t part) {
    const std::int64_t place = part % places;
    const std::int64_t group = part / places % groups;
    const std::int64_t image = part / places / groups;
    Patch patch;
    images.read(image, group, place / y.shape[3], place % y.shape[3], patch);
    const Tensor pixels{"patch", patch.values.data(), nullptr, size, &size, 1};
    for (std::int64_t c = 0; c < group_channels; ++c) {
      const std::int64_t channel = group * group_channels + c;
      const std::int64_t at = (image * groups * group_channels + channel) * places + place;
      const Number addend = bias.at<Number>(channel);
      const Number* start = biased ? &addend : nullptr;
      Number sum = dot<Number>(call, pixels, 0, weight, channel * size, size, start);
      if (patch.padded && !std::isfinite(sum.value)) {
        // A kernel may leave the padding out or multiply by its zeros, which infinity and NaN tell
        // apart.
        const std::vector<double> inside = weights_inside(patch, weight, channel * size);
        const Tensor taps{"taps", inside.data(), nullptr, size, &size, 1};
        if (std::isnan(sum.value)) y.allow(at, Output::kNan);
        sum = dot<Number>(call, pixels, 0, taps, 0, size, start);
      }
      y.set(at, sum);
    }
  });
}

}  // namespace

TENSORPATH_REFERENCE(conv2d)
