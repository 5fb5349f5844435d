#include "op_case.h"

#include <algorithm>

namespace receptive::test {

namespace {

constexpr size_t kGuard = RECEPTIVE_ASAN ? 0 : 256;  // whole alignments: the tensor's memory is aligned as the allocator's is
constexpr unsigned char kCanary = 0x5a;

std::optional<OpRun> reference_of(const std::string& op, const std::vector<Operand>& operands, const std::vector<double>& attrs) {
  if (!kAgainstReference) return std::nullopt;
  return OpRun(op, operands, attrs, Dtype::float64);
}

template <class T>
void fill_as(const Tensor& tensor, const std::vector<double>& v, T poison) {
  const int64_t size = tensor.size();
  T* const to = tensor.as<T>();
  if (v.empty()) {
    std::fill_n(to, size, poison);
  } else {
    std::transform(v.data(), v.data() + size, to, [](double value) { return static_cast<T>(value); });
  }
}

}  // namespace

int64_t size_of_dims(const Dims& dims) {
  int64_t n = 1;
  for (const int64_t d : dims) n *= d;
  return n;
}

const Op& op_named(const std::string& name) {
  for (const Op* op = all_ops(); op->name; ++op) {
    if (name == op->name) return *op;
  }
  throw std::logic_error("no op is called " + name);
}

Operand absent() { return {}; }

Operand values(Dims dims, std::vector<double> v) { return {Operand::Kind::real, std::move(dims), std::move(v), false}; }

Operand int32s(Dims dims, std::vector<double> v) { return {Operand::Kind::int32, std::move(dims), std::move(v), false}; }

Operand bytes(Dims dims, std::vector<double> v) { return {Operand::Kind::uint8, std::move(dims), std::move(v), false}; }

Operand result(Dims dims) { return {Operand::Kind::real, std::move(dims), {}, true}; }

Operand int32_result(Dims dims) { return {Operand::Kind::int32, std::move(dims), {}, true}; }

Operand byte_result(Dims dims) { return {Operand::Kind::uint8, std::move(dims), {}, true}; }

Operand updated(Operand in) {
  in.result = true;
  return in;
}

Operand reals(Dims dims, uint32_t seed, float low, float high) {
  Buffer<float> b(size_of_dims(dims));
  fill_reals(b, seed, low, high);
  return values(std::move(dims), std::vector<double>(b.data(), b.data() + b.size()));
}

Operand integers(Dims dims, uint32_t seed, int low, int high) {
  Buffer<float> b(size_of_dims(dims));
  fill_integers(b, seed, low, high);
  return values(std::move(dims), std::vector<double>(b.data(), b.data() + b.size()));
}

Cells::Cells(Dtype dtype, const Dims& dims, const std::vector<double>& v) {
  tensor_.dtype = dtype;
  tensor_.rank = static_cast<int>(dims.size());
  std::copy(dims.begin(), dims.end(), tensor_.dims);
  used_ = static_cast<size_t>(tensor_.size()) * size_of(dtype);
  bytes_.reset(static_cast<unsigned char*>(::operator new (used_ + 2 * kGuard, std::align_val_t{kMemoryAlignment})));
  std::memset(bytes_.get(), kCanary, kGuard);
  std::memset(bytes_.get() + kGuard + used_, kCanary, kGuard);
  tensor_.data = bytes_.get() + kGuard;
  fill(v);
}

void Cells::fill(const std::vector<double>& v) {
  switch (tensor_.dtype) {
    case Dtype::float32: return fill_as<float>(tensor_, v, NAN);
    case Dtype::float64: return fill_as<double>(tensor_, v, NAN);
    case Dtype::int32: return fill_as<int32_t>(tensor_, v, 77);
    case Dtype::uint8: return fill_as<uint8_t>(tensor_, v, 77);
  }
}

double Cells::at(int64_t i) const {
  switch (tensor_.dtype) {
    case Dtype::float32: return tensor_.as<float>()[i];
    case Dtype::float64: return tensor_.as<double>()[i];
    case Dtype::int32: return tensor_.as<int32_t>()[i];
    case Dtype::uint8: return tensor_.as<uint8_t>()[i];
  }
  return 0;
}

std::vector<double> Cells::all() const {
  std::vector<double> out(static_cast<size_t>(tensor_.size()));
  for (size_t i = 0; i < out.size(); ++i) out[i] = at(static_cast<int64_t>(i));
  return out;
}

void Cells::verify(const std::string& what) const {
  for (size_t i = 0; i < kGuard; ++i) {
    ASSERT_EQ(bytes_[i], kCanary) << what << ": wrote before a tensor";
    ASSERT_EQ(bytes_[kGuard + used_ + i], kCanary) << what << ": wrote past a tensor";
  }
}

std::string run_op(const std::string& name, const std::vector<const Tensor*>& tensors, const std::vector<double>& attrs, Kept* kept,
                   bool always) {
  const Op& op = op_named(name);
  EXPECT_EQ(static_cast<int>(tensors.size()), op.tensors) << name;
  EXPECT_TRUE(op.attrs < 0 || static_cast<int>(attrs.size()) == op.attrs) << name;
  Call call;
  call.op = op.name;
  call.tensors = static_cast<int>(tensors.size());
  call.attrs = static_cast<int>(attrs.size());
  std::copy(tensors.begin(), tensors.end(), call.tensor);
  std::copy(attrs.begin(), attrs.end(), call.attr);
  op.record(call);
  KernelContext context;
  context.begin(kept, always);
  call.command.run(context);
  return context.take_failure();
}

OpRun::OpRun(const std::string& op, const std::vector<Operand>& operands, const std::vector<double>& attrs, Dtype real, Kept* kept,
             bool always)
    : op_(op), attrs_(attrs) {
  for (const Operand& o : operands) {
    if (o.kind == Operand::Kind::absent) {
      cells_.emplace_back();
      tensors_.push_back(nullptr);
      continue;
    }
    const Dtype dtype = o.kind == Operand::Kind::real ? real : o.kind == Operand::Kind::int32 ? Dtype::int32 : Dtype::uint8;
    cells_.push_back(std::make_unique<Cells>(dtype, o.dims, o.values));
    tensors_.push_back(&cells_.back()->tensor());
  }
  failure = run_op(op_, tensors_, attrs_, kept, always);
}

void OpRun::again(const std::vector<Operand>& operands) {
  for (size_t i = 0; i < operands.size(); ++i) {
    if (operands[i].result) cells_[i]->fill(operands[i].values);
  }
  failure = run_op(op_, tensors_, attrs_);
}

double error_of(const Cells& out, const Cells& ref) {
  const int64_t size = ref.tensor().size();
  double scale = 0, worst = 0;
  for (int64_t i = 0; i < size; ++i) {
    const double r = ref.at(i);
    if (std::isfinite(r)) scale = std::max(scale, std::fabs(r));
  }
  for (int64_t i = 0; i < size; ++i) {
    const double o = out.at(i), r = ref.at(i);
    if (o == r || (std::isnan(o) && std::isnan(r))) continue;
    worst = std::max(worst, std::isfinite(o) && std::isfinite(r) ? std::fabs(o - r) / (scale > 0 ? scale : 1) : INFINITY);
  }
  return worst;
}

void expect_agreement(const std::string& op, const std::vector<Operand>& operands, const std::vector<double>& attrs, double bound,
                      const std::string& what) {
  const int threads_before = Pool::shared().threads();
  Pool::shared().set_threads(1);
  const std::optional<OpRun> reference = reference_of(op, operands, attrs);
  std::optional<OpRun> one, more;
  const auto run = [&](std::optional<OpRun>& in) { in ? in->again(operands) : void(in.emplace(op, operands, attrs, Dtype::float32)); };
  each_isa([&](const KernelTable&) {
    Pool::shared().set_threads(1);
    run(one);
    if (reference) {
      EXPECT_EQ(one->failure, reference->failure) << what;
    }
    int results = 0;
    for (size_t i = 0; i < operands.size(); ++i) {
      if (operands[i].kind == Operand::Kind::absent) continue;
      (*one)[i].verify(what);
      if (!operands[i].result) continue;
      ++results;
      if (!reference) continue;
      EXPECT_LE(error_of((*one)[i], (*reference)[i]), operands[i].kind == Operand::Kind::real ? bound : 0) << what << ", tensor " << i;
    }
    EXPECT_GT(results, 0) << what;
    for (int threads = 2; threads <= 3; ++threads) {
      Pool::shared().set_threads(threads);
      run(more);
      for (size_t i = 0; i < operands.size(); ++i) {
        if (operands[i].kind == Operand::Kind::absent) continue;
        EXPECT_TRUE((*more)[i].same_bytes((*one)[i])) << what << ", tensor " << i << ": other bits on " << threads << " threads";
      }
    }
  });
  Pool::shared().set_threads(threads_before);
}

void expect_kept(const std::string& op, const std::vector<Operand>& operands, const std::vector<double>& attrs, double bound,
                 const std::string& what) {
  const std::optional<OpRun> reference = reference_of(op, operands, attrs);
  each_isa([&](const KernelTable&) {
    Kept kept;
    const OpRun first(op, operands, attrs, Dtype::float32, &kept);
    const size_t bytes = kept.bytes();
    const OpRun second(op, operands, attrs, Dtype::float32, &kept);
    EXPECT_EQ(kept.bytes(), bytes) << what;
    for (size_t i = 0; i < operands.size(); ++i) {
      if (operands[i].kind == Operand::Kind::absent) continue;
      second[i].verify(what);
      if (!operands[i].result) continue;
      EXPECT_TRUE(second[i].same_bytes(first[i])) << what << ", tensor " << i << ": other bits in another run";
      if (!reference) continue;
      EXPECT_LE(error_of(first[i], (*reference)[i]), bound) << what << ", tensor " << i;
    }
  });
}

void expect_kept_lately(const std::string& op, const std::vector<Operand>& operands, const std::vector<double>& attrs,
                        const std::string& what) {
  each_isa([&](const KernelTable&) {
    const OpRun alone(op, operands, attrs, Dtype::float32);
    Kept kept;
    for (const char* run : {"first", "second"}) {
      const OpRun with(op, operands, attrs, Dtype::float32, &kept, false);
      for (size_t i = 0; i < operands.size(); ++i) {
        if (operands[i].kind == Operand::Kind::absent) continue;
        with[i].verify(what);
        if (!operands[i].result) continue;
        EXPECT_TRUE(with[i].same_bytes(alone[i])) << what << ", tensor " << i << ": other bits in the " << run;
      }
    }
  });
}

void expect_refused(const std::string& op, const std::vector<Operand>& operands, const std::vector<double>& attrs,
                    const std::string& reason) {
  for (const Dtype real : {Dtype::float32, Dtype::float64}) {
    try {
      OpRun run(op, operands, attrs, real);
      ADD_FAILURE() << op << " accepted what should be refused: " << reason;
    } catch (const OpError& error) {
      const std::string message = error.what();
      EXPECT_EQ(message.rfind(op + ": ", 0), 0u) << message;
      EXPECT_NE(message.find(reason), std::string::npos) << message;
    }
  }
}

}  // namespace receptive::test
