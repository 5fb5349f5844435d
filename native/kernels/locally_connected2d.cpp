// The unshared convolution: at each place of the output a product of all images' windows with the weights of that place. Weights are most
// of what is read, and each pass reads or writes them once.
//
//   forward, for each chunk: (place, panel of NR vectors of output channels)
//   gradient of the input: (pixel, panel of NR vectors of input channels), over the taps and places that see the pixel
//     for each block of reduction steps             its part of the panel, packed unless it can be read in place, stays in L2
//       for each tile of MR images
//         acc[MR][NR] in registers over the block's runs: a row of taps is one run of kw*C inputs, a tap's gradients one of K
//   gradient of the weights: (place, panel of NR vectors of output channels)
//     for each row of taps, for each tile of MR of its kw*C inputs
//       acc[MR][NR] in registers over the images
#include "../ops/locally_connected2d.h"

#include "gemm.h"
#include "windows.h"

namespace receptive::RECEPTIVE_ISA {

void locally_connected2d(const LocallyConnected2dArgs<float>&, Context&);
void locally_connected2d_backward_input(const LocallyConnected2dBackwardInputArgs<float>&, Context&);
void locally_connected2d_backward_weight(const LocallyConnected2dBackwardWeightArgs<float>&, Context&);

constexpr int64_t kBlockSteps = 512;      // of a reduction: 128 KiB of the widest panel
constexpr int64_t kPlaceGrain = 1 << 17;  // multiply-adds worth a chunk

// The reduction of one place as contiguous runs of what is read from each image, none longer than a block; the weights of run r begin at
// weights[r].
struct Runs {
  Segment* segments;
  int64_t* weights;
  int64_t count;

  // How many there may be for so many taps of `length` values.
  static int64_t most(int64_t taps, int64_t length) { return taps * (length / kBlockSteps + 1); }

  // A step of the reduction is `step` weights from the next.
  void add(int64_t offset, int64_t length, int64_t weight, int64_t step) {
    for (int64_t done = 0; done < length; done += kBlockSteps) {
      segments[count] = {offset + done, smaller(length - done, kBlockSteps)};
      weights[count++] = weight + done * step;
    }
  }
};

// What a thread needs for itself: runs, and a block of a panel.
struct Workspace {
  Segment* segments;
  int64_t* weights;
  float* panels;
  int64_t runs;  // of each slot

  Workspace(Context& context, int64_t slots, int64_t most_runs) : runs(most_runs) {
    segments = static_cast<Segment*>(context.scratch(static_cast<size_t>(slots * runs) * sizeof(Segment)));
    weights = static_cast<int64_t*>(context.scratch(static_cast<size_t>(slots * runs) * sizeof(int64_t)));
    panels = static_cast<float*>(context.scratch(static_cast<size_t>(slots * kPanel) * sizeof(float)));
  }
  Runs runs_of(int slot) const { return {segments + slot * runs, weights + slot * runs, 0}; }
  float* panel_of(int slot) const { return panels + slot * kPanel; }

 private:
  static constexpr int64_t kPanel = kBlockSteps * kMaxNR * Vec::width;
};

// One panel of one place, for all images: those at a and y, `a_image` and `y_image` apart.
struct Product {
  const float* a;
  float* y;
  int64_t images, a_image, y_image;
  const float* w;     // what runs count their weights from
  int64_t w_row;      // not 0: the panel can be read in place, its rows so far apart
  const float* bias;  // of the panel, or null
  int nr, tail;
  void (*pack)(const float* from, int64_t ld, int64_t steps, int nr, int tail, float* to);  // a run's part of the panel
  int64_t ld;
};

static RECEPTIVE_OUTLINE void multiply(const Product& p, const Runs& runs, float* panel) {
  const Tiles tiles(p.images, rows_for(p.nr));
  int64_t first = 0;
  do {
    int64_t last = first, steps = 0;
    const float* b = panel;
    for (; last < runs.count && steps + runs.segments[last].length <= kBlockSteps; ++last) {
      if (p.w_row == 0) {
        p.pack(p.w + runs.weights[last], p.ld, runs.segments[last].length, p.nr, p.tail, panel + steps * p.nr * Vec::width);
      } else if (last == first) {
        b = p.w + runs.weights[first];
      } else if (runs.weights[last] != runs.weights[first] + steps * p.w_row) {
        break;
      }
      steps += runs.segments[last].length;
    }
    const RowsStep step = {runs.segments + first,         last - first, b,     p.w_row == 0 ? p.nr * Vec::width : p.w_row,
                           first == 0 ? p.bias : nullptr, first > 0,    p.tail};
    for (int64_t t = 0; t < tiles.count; ++t) {
      RowsTile tile;
      const int mr = static_cast<int>(tiles.begin(t + 1) - tiles.begin(t));
      for (int m = 0; m < mr; ++m) {
        const int64_t n = tiles.begin(t) + m;
        tile.a[m] = p.a + n * p.a_image;
        tile.y[m] = p.y + n * p.y_image;
      }
      rows_kernel(mr, p.nr)(tile, step);
    }
    first = last;
  } while (first < runs.count);
}

// How (place, panel) units of so much work together are cut into chunks.
RECEPTIVE_INLINE int64_t chunks_of(int64_t units, int64_t work) { return larger<int64_t>(smaller(units, work / kPlaceGrain), 1); }

RECEPTIVE_INLINE int64_t all_work(const Conv2dShape& s) { return s.N * s.OH * s.OW * s.kh * s.kw * s.C * s.K; }

// Calls body(place, panel, slot) for all of both.
template <class Body>
RECEPTIVE_INLINE void each_panel(Context& context, int64_t places, int64_t panels, int64_t chunks, const Body& body) {
  const int64_t units = places * panels;
  context.parallel(chunks, [&](int64_t chunk, int slot) {
    for (int64_t unit = chunk * units / chunks; unit < (chunk + 1) * units / chunks; ++unit) body(unit / panels, unit % panels, slot);
  });
}

void locally_connected2d(const LocallyConnected2dArgs<float>& a, Context& context) {
  const Conv2dShape& s = a.shape;
  if (s.N == 0) return;
  const int64_t places = s.OH * s.OW, steps = s.kh * s.kw * s.C;
  const Panels panels(s.K);
  const int64_t chunks = chunks_of(places * panels.count(), all_work(s));
  const Workspace space(context, chunks == 1 ? 1 : context.threads(), Runs::most(smaller(s.kh, s.H) * smaller(s.kw, s.W), s.C));
  each_panel(context, places, panels.count(), chunks, [&](int64_t place, int64_t index, int slot) {
    const Taps rows = taps_of(place / s.OW, s.sh, s.top, s.dh, s.kh, s.H), cols = taps_of(place % s.OW, s.sw, s.left, s.dw, s.kw, s.W);
    Runs runs = space.runs_of(slot);
    const int64_t together = s.dw == 1 ? cols.count : 1;  // taps of a row
    for (int64_t p = 0; p < rows.count; ++p) {
      for (int64_t q = 0; q < cols.count; q += together) {
        runs.add(((rows.first + p * s.dh) * s.W + cols.first + q * s.dw) * s.C, together * s.C,
                 ((rows.begin + p) * s.kw + cols.begin + q) * s.C * s.K, s.K);
      }
    }
    const int nr = panels.width(index), tail = panels.tail(index);
    const int64_t column = panels.first(index) * Vec::width;
    const Product product = {a.x,
                             a.y + place * s.K + column,
                             s.N,
                             s.H * s.W * s.C,
                             places * s.K,
                             a.w + place * steps * s.K + column,
                             tail == Vec::width ? s.K : 0,
                             a.b ? a.b + place * s.K + column : nullptr,
                             nr,
                             tail,
                             pack_panel,
                             s.K};
    multiply(product, runs, space.panel_of(slot));
  });
}

void locally_connected2d_backward_input(const LocallyConnected2dBackwardInputArgs<float>& a, Context& context) {
  const Conv2dShape& s = a.shape;
  if (s.N == 0 || s.H == 0 || s.W == 0) return;
  const int64_t pixels = s.H * s.W;
  const Panels panels(s.C);
  const int64_t chunks = chunks_of(pixels * panels.count(), all_work(s));
  const Workspace space(context, chunks == 1 ? 1 : context.threads(), Runs::most(smaller(s.kh, s.OH) * smaller(s.kw, s.OW), s.K));
  each_panel(context, pixels, panels.count(), chunks, [&](int64_t pixel, int64_t index, int slot) {
    const int nr = panels.width(index), tail = panels.tail(index);
    const int64_t column = panels.first(index) * Vec::width;
    Runs runs = space.runs_of(slot);
    // Tap p of row i of the output sees row h of the input where i*sh = h + top - p*dh.
    const int64_t below = pixel / s.W + s.top, beside = pixel % s.W + s.left;
    for (int64_t p = 0; p < s.kh && p * s.dh <= below; ++p) {
      const int64_t i = (below - p * s.dh) / s.sh;
      if (i >= s.OH || i * s.sh != below - p * s.dh) continue;
      for (int64_t q = 0; q < s.kw && q * s.dw <= beside; ++q) {
        const int64_t j = (beside - q * s.dw) / s.sw;
        if (j >= s.OW || j * s.sw != beside - q * s.dw) continue;
        const int64_t place = i * s.OW + j;
        runs.add(place * s.K, s.K, (((place * s.kh + p) * s.kw + q) * s.C + column) * s.K, 1);
      }
    }
    const Product product = {a.g,  a.dx + pixel * s.C + column, s.N, s.OH * s.OW * s.K, pixels * s.C, a.w, 0, nullptr, nr,
                             tail, pack_panel_transposed,       s.K};
    multiply(product, runs, space.panel_of(slot));
  });
}

void locally_connected2d_backward_weight(const LocallyConnected2dBackwardWeightArgs<float>& a, Context& context) {
  const Conv2dShape& s = a.shape;
  const int64_t places = s.OH * s.OW, steps = s.kh * s.kw * s.C;
  const Panels panels(s.K);
  each_panel(context, places, panels.count(), chunks_of(places * panels.count(), all_work(s)), [&](int64_t place, int64_t index, int) {
    const int nr = panels.width(index), tail = panels.tail(index);
    const int64_t column = panels.first(index) * Vec::width;
    float* dw = a.dw + place * steps * s.K + column;
    const auto clear = [&](int64_t begin, int64_t end) {  // taps
      for (int64_t row = begin * s.C; row < end * s.C; ++row) {
        memset(dw + row * s.K, 0, static_cast<size_t>((nr - 1) * Vec::width + tail) * sizeof(float));
      }
    };
    const Taps rows = taps_of(place / s.OW, s.sh, s.top, s.dh, s.kh, s.H), cols = taps_of(place % s.OW, s.sw, s.left, s.dw, s.kw, s.W);
    const int64_t together = s.dw == 1 ? cols.count : 1;  // taps of a row
    int64_t written = 0;                                  // taps
    for (int64_t p = 0; p < rows.count; ++p) {
      for (int64_t q = 0; q < cols.count; q += together) {
        const int64_t tap = (rows.begin + p) * s.kw + cols.begin + q;
        clear(written, tap);
        written = tap + together;
        const float* x = a.x + ((rows.first + p * s.dh) * s.W + cols.first + q * s.dw) * s.C;
        const Tiles tiles(together * s.C, rows_for(nr));
        for (int64_t t = 0; t < tiles.count; ++t) {
          const int64_t first = tiles.begin(t);
          const OuterStep step = {x + first,
                                  0,
                                  s.H * s.W * s.C,
                                  a.g + place * s.K + column,
                                  0,
                                  places * s.K,
                                  1,
                                  s.N,
                                  dw + (tap * s.C + first) * s.K,
                                  s.K,
                                  nullptr,
                                  false,
                                  tail};
          outer_kernel(static_cast<int>(tiles.begin(t + 1) - first), nr)(step);
        }
      }
    }
    clear(written, s.kh * s.kw);
  });
}

}  // namespace receptive::RECEPTIVE_ISA
