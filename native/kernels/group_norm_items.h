// How group norm goes through what has statistics of its own.
//
// An item that the second cache holds is handled by one thread at one go: it is read from memory once. A larger one is cut into pieces,
// which are summed by any thread, joined in order in double, and read a second time.
#pragma once

#include "columns.h"

namespace receptive::RECEPTIVE_ISA {

constexpr int64_t kItem = 2 * kElementGrain;  // elements

// So many items, each of a length that is summed in pieces, and of so many elements altogether.
struct Items {
  int64_t count, length, elements;
  int64_t unit() const { return elements / larger<int64_t>(length, 1); }
  int64_t piece() const { return elements <= kItem ? larger<int64_t>(length, 1) : larger<int64_t>(kItem / unit() / kBlock, 1) * kBlock; }
  int64_t pieces() const { return (length + piece() - 1) / piece(); }
  // How many items a thread takes at a time where they are not cut: one thread at a time takes a chunk.
  int64_t step() const { return larger<int64_t>(kElementGrain / larger<int64_t>(elements, 1), 1); }
  int64_t chunks() const { return pieces() > 1 ? 1 : (count + step() - 1) / step(); }
};

// For each item: sum(item, first, n, totals, slot) over its pieces, each with `doubles` totals that are 0; finish(item, totals, pieces,
// chunk), which joins them into the first, in the order of items in a chunk; apply(item, first, n, totals, slot).
template <class Sum, class Finish, class Apply>
RECEPTIVE_INLINE void each_item(const Items& items, int64_t doubles, Context& context, const Sum& sum, const Finish& finish,
                                const Apply& apply) {
  const size_t bytes = static_cast<size_t>(doubles) * sizeof(double);
  const int64_t pieces = items.pieces(), piece = items.piece();
  if (pieces <= 1) {
    double* memory = static_cast<double*>(context.scratch(static_cast<size_t>(context.threads()) * bytes));
    const int64_t step = items.step();
    return context.parallel(items.chunks(), [&](int64_t chunk, int slot) {
      double* totals = memory + slot * doubles;
      for (int64_t i = chunk * step; i < smaller((chunk + 1) * step, items.count); ++i) {
        memset(totals, 0, bytes);
        sum(i, 0, items.length, totals, slot);
        finish(i, totals, 1, chunk);
        apply(i, 0, items.length, totals, slot);
      }
    });
  }
  double* memory = static_cast<double*>(context.scratch(static_cast<size_t>(items.count * pieces) * bytes));
  const auto each_piece = [&](const auto& body) {
    context.parallel(items.count * pieces, [&](int64_t p, int slot) {
      const int64_t first = p % pieces * piece;
      body(p / pieces, first, smaller(piece, items.length - first), p, slot);
    });
  };
  each_piece([&](int64_t i, int64_t first, int64_t n, int64_t p, int slot) {
    memset(memory + p * doubles, 0, bytes);
    sum(i, first, n, memory + p * doubles, slot);
  });
  for (int64_t i = 0; i < items.count; ++i) finish(i, memory + i * pieces * doubles, pieces, 0);
  each_piece([&](int64_t i, int64_t first, int64_t n, int64_t, int slot) { apply(i, first, n, memory + i * pieces * doubles, slot); });
}

// How many of an item's values are in the pieces before this one, and in it.
struct Counts {
  double before, own;
};
RECEPTIVE_INLINE Counts counts_of(const Items& items, int64_t piece) {
  return {static_cast<double>(piece * items.piece()), static_cast<double>(smaller(items.piece(), items.length - piece * items.piece()))};
}

}  // namespace receptive::RECEPTIVE_ISA
