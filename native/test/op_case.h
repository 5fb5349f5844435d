// Running ops as the binding does: from their names, tensors and attributes.
#pragma once

#include <functional>
#include <memory>
#include <new>
#include <optional>

#include "../ops/op.h"
#include "../runtime/system_memory.h"
#include "support.h"

namespace receptive::test {

using Dims = std::vector<int64_t>;

int64_t size_of_dims(const Dims& dims);

// The op all_ops() lists under this name.
const Op& op_named(const std::string& name);

// One tensor of a case. `real` is float32 in the kernels under test and float64 in the reference.
struct Operand {
  enum class Kind { real, int32, uint8, absent } kind = Kind::absent;
  Dims dims;
  std::vector<double> values;  // empty: poison
  bool result = false;         // compared with the reference
};

Operand absent();
Operand values(Dims dims, std::vector<double> v);
Operand int32s(Dims dims, std::vector<double> v);
Operand bytes(Dims dims, std::vector<double> v);
Operand result(Dims dims);
Operand int32_result(Dims dims);
Operand byte_result(Dims dims);
Operand updated(Operand in);
Operand reals(Dims dims, uint32_t seed, float low = -1, float high = 1);
Operand integers(Dims dims, uint32_t seed, int low = -4, int high = 4);

// A tensor's memory, with canaries on both sides; in an AddressSanitizer build without them, so that a read past the end is seen too.
class Cells {
 public:
  Cells(Dtype dtype, const Dims& dims, const std::vector<double>& v = {});
  void fill(const std::vector<double>& v);  // empty: poison
  const Tensor& tensor() const { return tensor_; }
  double at(int64_t i) const;
  std::vector<double> all() const;
  bool same_bytes(const Cells& other) const { return used_ == other.used_ && std::memcmp(tensor_.data, other.tensor_.data, used_) == 0; }
  void verify(const std::string& what) const;

 private:
  struct Free {
    void operator()(unsigned char* bytes) const { ::operator delete (bytes, std::align_val_t{kMemoryAlignment}); }
  };
  Tensor tensor_;
  size_t used_ = 0;
  std::unique_ptr<unsigned char[], Free> bytes_;
};

// Records and runs an op on these tensors (null: left out). Returns what it reported with fail(), or "".
std::string run_op(const std::string& name, const std::vector<const Tensor*>& tensors, const std::vector<double>& attrs,
                   Kept* kept = nullptr, bool always = true);

// One run of a case: its tensors, made anew.
class OpRun {
 public:
  OpRun(const std::string& op, const std::vector<Operand>& operands, const std::vector<double>& attrs, Dtype real, Kept* kept = nullptr,
        bool always = true);
  // Once more, in the same memory: what the op writes starts as it did. Nothing is kept.
  void again(const std::vector<Operand>& operands);
  const Cells& operator[](size_t i) const { return *cells_[i]; }
  std::string failure;

 private:
  std::string op_;
  std::vector<double> attrs_;
  std::vector<std::unique_ptr<Cells>> cells_;
  std::vector<const Tensor*> tensors_;
};

// max |out - ref| / max |ref|, with NaN and infinity wrong unless both have them.
double error_of(const Cells& out, const Cells& ref);

// The op in float32, on every instruction set and on 1, 2 and 3 threads, against the same op in float64: results within `bound` of it
// (0: the same values; integers always are), the same bits for any number of threads, nothing else written.
void expect_agreement(const std::string& op, const std::vector<Operand>& operands, const std::vector<double>& attrs, double bound,
                      const std::string& what);

// The op as a plan runs it, twice: what the first run keeps of its constant operands, the second finds. Both agree with float64, to the bit
// with each other.
void expect_kept(const std::string& op, const std::vector<Operand>& operands, const std::vector<double>& attrs, double bound,
                 const std::string& what);

// The op as calls run it that find their constant operands as they were: what is kept changes no bit of the results.
void expect_kept_lately(const std::string& op, const std::vector<Operand>& operands, const std::vector<double>& attrs,
                        const std::string& what);

// The op must refuse these arguments, in float32 and float64, with a message that contains `reason`.
void expect_refused(const std::string& op, const std::vector<Operand>& operands, const std::vector<double>& attrs,
                    const std::string& reason);

}  // namespace receptive::test
