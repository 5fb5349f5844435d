// An op, as the binding sees it: a name, how many tensors and numbers it takes, and a function that checks them and submits a command.
//
// record() is the one gate between JavaScript and memory. It must establish everything its kernel relies on (ranks, sizes, dtypes,
// ranges of every attribute) from the tensors themselves, and throw OpError otherwise, before anything is submitted: no call from
// JavaScript, however wrong, may read or write outside a tensor.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "../runtime/command.h"
#include "../runtime/tensor.h"

namespace receptive {

// Bad arguments. The binding turns it into a JavaScript RangeError; what() begins with the op's name.
class OpError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// One call of an op: its tensors and attributes on the way in, a command on the way out.
class Call {
 public:
  static constexpr int kMaxTensors = 12;
  static constexpr int kMaxAttrs = 36;

  const char* op = "";
  int tensors = 0;
  int attrs = 0;
  const Tensor* tensor[kMaxTensors] = {};  // null where an optional tensor was left out
  double attr[kMaxAttrs] = {};
  Command command;  // what record() submits
  // Tensors whose contents the kernel packs, by bit: see Context::keep.
  uint32_t packs = 1u << 1;
  // What a plan keeps between runs of what the kernel makes of them, where they are constants: nothing; that, for these shapes; or, of a
  // single one, that for all plans, whatever the shapes of the other tensors: then attributes, the tensor's shape and the size say what it
  // is.
  enum class Keep { nothing, own, shared } keep = Keep::own;
  // What the command writes although it may have contents, by bit, for Uses.
  uint32_t overwrites = 0;  // all of it, whatever it was
  uint32_t changes = 0;     // a part, or by what it was
  uint32_t updates = 0;     // the same, of what outlives a batch: written when all scratch memory has been had

  // Tensor i, which must be there.
  const Tensor& in(int i) const {
    require(i < tensors && tensor[i] != nullptr, "tensor %d is missing", i);
    return *tensor[i];
  }
  // Tensor i, or null where it was left out.
  const Tensor* optional(int i) const { return i < tensors ? tensor[i] : nullptr; }
  double number(int i) const { return attr[i]; }
  // Attribute i, which must be an integer in [low, high].
  int64_t integer(int i, int64_t low, int64_t high) const;
  // Attribute i, which must be a number in [low, high].
  double number(int i, double low, double high) const;
  bool flag(int i) const { return attr[i] != 0; }

  // Throws OpError("<op>: <message>") unless condition holds.
#if defined(__GNUC__)
  __attribute__((format(printf, 3, 4)))
#endif
  void
  require(bool condition, const char* format, ...) const;
  // Throws it. For what is asked of every call and whose message takes a shape's text, which is made for nothing where all is well.
  [[noreturn]]
#if defined(__GNUC__)
  __attribute__((format(printf, 2, 3)))
#endif
  void
  fail(const char* format, ...) const;

  void require_dtype(const Tensor& t, Dtype dtype, const char* what) const;
  void require_rank(const Tensor& t, int rank, const char* what) const;
  void require_same_shape(const Tensor& a, const Tensor& b, const char* what_a, const char* what_b) const;
  // Different storage, for ops that would read what they have overwritten. (Tensors share all of their storage or none.)
  void require_apart(const Tensor& a, const Tensor& b, const char* what_a, const char* what_b) const;
  // Floating point: float32 or float64.
  void require_float(const Tensor& t, const char* what) const;

  template <class Args>
  void submit(void (*kernel)(const Args&, Context&), const Args& args) {
    command = Command::of(kernel, args);
  }
};

struct Op {
  const char* name;
  int tensors;
  int attrs;  // exactly this many; -1: up to Call::kMaxAttrs
  void (*record)(Call& call);
};

std::string shape_text(const Tensor& t);

// All ops, for the binding (and for the fuzzer). Ends with a null name.
const Op* all_ops();

}  // namespace receptive
