/* Contents of tensors, and how two results are held against each other. The fallback is rounded
 * too: this finds what is wrong, the proof is in the kernel's packet. */
double to_number(Type type, const unsigned char* data, std::int64_t at) {
  const auto read = [&](auto value) {
    std::memcpy(&value, data + at * static_cast<std::int64_t>(sizeof value), sizeof value);
    return value;
  };
  switch (type) {
    case Type::fp32:
      return read(float{});
    case Type::fp16:
      return tp_to_float(read(tp_fp16{}));
    case Type::bf16:
      return tp_to_float(read(tp_bf16{}));
    case Type::int32:
      return read(std::int32_t{});
    case Type::int64:
      return static_cast<double>(read(std::int64_t{}));
    case Type::int8:
      return read(std::int8_t{});
    case Type::fp4_e2m1:
    case Type::int4:
    case Type::uint4:
      return data[at / 2] >> (at % 2 * 4) & 15;
    default:
      return data[at];
  }
}

void from_number(Type type, unsigned char* data, std::int64_t at, double value) {
  const auto write = [&](auto stored) {
    std::memcpy(data + at * static_cast<std::int64_t>(sizeof stored), &stored, sizeof stored);
  };
  switch (type) {
    case Type::fp32:
      return write(static_cast<float>(value));
    case Type::fp16:
      return write(static_cast<tp_fp16>(static_cast<float>(value)));
    case Type::bf16:
      return write(tp_to_bf16(static_cast<float>(value)));
    case Type::int32:
      return write(static_cast<std::int32_t>(value));
    case Type::int64:
      return write(static_cast<std::int64_t>(value));
    case Type::fp4_e2m1:
    case Type::int4:
    case Type::uint4: {
      const int shift = static_cast<int>(at % 2 * 4);
      data[at / 2] = static_cast<unsigned char>((data[at / 2] & ~(15 << shift)) |
                                                ((static_cast<int>(value) & 15) << shift));
      return;
    }
    default:
      data[at] = static_cast<unsigned char>(static_cast<int>(value));
  }
}

bool is_code(Type type) {
  return type != Type::fp32 && type != Type::fp16 && type != Type::bf16 && type != Type::int32 &&
         type != Type::int64;
}

/* A code of a finite number, of middling size where it is a scale. */
double code_of(const Contents& c, std::mt19937_64& random) {
  const auto any = static_cast<int>(random() % 256);
  if (c.type == Type::ue8m0) return 122 + any % 8;
  if (c.type == Type::fp8_e4m3) return c.positive ? 0x30 + any % 16 : (any & 0x80) | any % 0x60;
  if (c.type == Type::fp8_e5m2) return c.positive ? 0x38 + any % 8 : (any & 0x80) | any % 0x48;
  return any;
}

void fill_element(const Contents& c, unsigned char* data, std::int64_t at, std::int64_t i,
                  std::int64_t count, std::int64_t below, std::mt19937_64& random,
                  std::vector<double>& order) {
  const auto uniform = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  const auto any_below = [&](std::int64_t most) {
    return static_cast<double>(random() % static_cast<std::uint64_t>(most < 1 ? 1 : most));
  };
  double value = 0;
  switch (c.fill) {
    case Fill::index:
      value = any_below(below);
      break;
    case Fill::length:
      value = 1 + any_below(below);
      break;
    case Fill::unique:
      if (order.empty()) {
        for (std::int64_t n = 0; n < below; ++n) order.push_back(static_cast<double>(n));
        for (std::size_t n = order.size(); n > 1; --n) {
          std::swap(order[n - 1], order[random() % n]);
        }
      }
      value = i < static_cast<std::int64_t>(order.size()) ? order[static_cast<std::size_t>(i)] : 0;
      break;
    case Fill::offsets:
      value = static_cast<double>(count < 2 ? 0 : below * i / (count - 1));
      break;
    case Fill::uniform:
      value = 0.05 + 0.9 * uniform();
      break;
    case Fill::weight:
      value = 0.75 + 0.5 * uniform();
      break;
    case Fill::scale:
      value = c.around * std::exp2(4 * uniform() - 2);
      break;
    default: {
      value =
          std::sqrt(-2 * std::log(uniform() + 0x1p-60)) * std::cos(6.283185307179586 * uniform());
      if (c.positive || c.fill == Fill::probability) value = std::fabs(value);
    }
  }
  const bool drawn = c.fill == Fill::values || c.fill == Fill::bits || c.fill == Fill::scale;
  if (is_code(c.type) && drawn) value = code_of(c, random);
  from_number(c.type, data, at, value);
}

double roundoff(Type type) {
  return type == Type::bf16 ? 0x1p-8 : type == Type::fp16 ? 0x1p-11 : 0x1p-24;
}

/* The largest difference over what is allowed. Where several answers are right (ties of a choice,
 * codes of another rounding) a few elements may differ. */
double compare(const Contents& c, const unsigned char* got, const unsigned char* want,
               std::int64_t rows, std::int64_t columns, std::int64_t stride, double terms) {
  double worst = 0;
  std::int64_t differing = 0;
  std::vector<double> mine(static_cast<std::size_t>(columns));
  std::vector<double> theirs(static_cast<std::size_t>(columns));
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      mine[static_cast<std::size_t>(column)] = to_number(c.type, got, row * stride + column);
      theirs[static_cast<std::size_t>(column)] = to_number(c.type, want, row * stride + column);
    }
    if (c.rule == Rule::selection) { /* chosen in any order */
      std::sort(mine.begin(), mine.end());
      std::sort(theirs.begin(), theirs.end());
    }
    for (std::size_t column = 0; column < mine.size(); ++column) {
      const double a = mine[column];
      const double b = theirs[column];
      /* Which token is drawn where several weigh the same is free: only that there is one. */
      if (c.rule == Rule::sample && a >= 0) continue;
      if (a == b || (std::isnan(a) && std::isnan(b))) continue;
      if (c.rule == Rule::bitwise || c.rule == Rule::exact) return INFINITY;
      const double allowed = 4 * roundoff(c.type) * std::fabs(b) + 0x1p-149 +
                             0x1p-18 * (std::fabs(b) + std::sqrt(terms));
      const double over = std::fabs(a - b) / allowed;
      if (!(over <= 1)) ++differing;
      if (!(over <= worst)) worst = over;
    }
  }
  if (c.rule == Rule::bounded) return worst;
  return static_cast<double>(differing) / (0.03 * static_cast<double>(rows * columns) + 1);
}
