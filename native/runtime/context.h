// What a running kernel may ask of its surroundings: threads, scratch memory, a way to report bad data.
//
// This header is included by units compiled with wide instruction sets: it holds declarations and templates over the kernel's own
// lambda (whose type lies in the instruction set's namespace), never an inline function that the linker could share.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "../simd/attributes.h"

namespace receptive {

class Context {
 public:
  virtual ~Context() = default;

  // Calls body(chunk, slot) once for each chunk in [0, chunks), on any thread, in any order, and returns when all are done. slot is
  // in [0, threads()) and held by one thread at a time: it names that thread's scratch. How work is cut into chunks must depend on
  // the problem only, never on threads(): that is what makes results the same bits for any number of threads. body throws nothing.
  template <class Body>
  void parallel(int64_t chunks, const Body& body) {
    if (chunks == 1) {
      call<Body>(&body, 0, 0);
    } else if (chunks > 1) {
      run(chunks, call<Body>, &body);
    }
  }

  // The number of slots parallel() hands out.
  virtual int threads() const noexcept = 0;

  // Uninitialised memory, 64-byte aligned, until the command ends. Throws std::bad_alloc. Not to be called inside parallel().
  virtual void* scratch(size_t bytes) = 0;

  // Memory for what a command makes of its constant operands (packed or transformed weights), asked for in the same order in each of its
  // runs: what is of the same place and size is the same. Where the command runs again and again on the same, the contents stay, and *made
  // says that they are there from an earlier run; else it is scratch.
  virtual void* keep(size_t bytes, bool* made) = 0;
  // Whether they stay.
  virtual bool keeps() const noexcept = 0;
  // Whether they stay for good, as in a plan, so that the choice of an algorithm may count on it. Where they stay for as long as nobody
  // writes the operands it must not: results would change from one call to the next.
  virtual bool always_keeps() const noexcept = 0;

  // Reports data that the shapes could not show to be wrong (a label out of range). The command must still leave its outputs defined
  // and touch no memory outside its tensors. The first message of a command is what reads of its results are told. Thread-safe.
  virtual void fail(const char* format, ...) noexcept = 0;

 protected:
  using Chunk = void (*)(const void* body, int64_t chunk, int slot);
  virtual void run(int64_t chunks, Chunk chunk, const void* body) noexcept = 0;

 private:
  // Out of line, or each body would be compiled twice: for one chunk, and for several.
  template <class Body>
  RECEPTIVE_OUTLINE static void call(const void* body, int64_t chunk, int slot) {
    (*static_cast<const Body*>(body))(chunk, slot);
  }
};

}  // namespace receptive
