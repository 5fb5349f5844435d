// Convolution of stride 1 by minimal filtering: tiles of outputs by fewer products than taps (winograd_axis.h), channels along the vectors.
//
//   transform the weights                        U [point][panel of K][C][NR vectors]
//   for each block of tiles
//     V [point][tile][C] = Bᵀ d B                each tile's inputs, border cells reading a line of zeros
//     for each point, for each panel of K, for each MR tiles
//       M [point][tile][K] = V U                 the matrix product's register tile; the panel is in L2, MR rows of V in L1
//     y = Aᵀ M A + bias                          each tile's outputs
//
// Many tiles: a chunk is a block, all three steps, V and M in the core's own L2. Few tiles: one block, and each step is cut on its own:
// into tiles, points and panels, tiles. Then cores read what others made, which those that share no cache do slowly: so what counts as many
// is less where the weights, which each block reads anew, are in L2 as well.
//
// The gradient of the weights sums over tiles instead: Gᵀ [ Σ (A g Aᵀ) (Bᵀ d B) ] G, a matrix product [C][tiles] x [tiles][K] at each
// point.
#include "conv2d_winograd.h"

#include "conv2d_winograd_transforms.h"
#include "far.h"

namespace receptive::RECEPTIVE_ISA {

constexpr int64_t kBlockTiles = 30;                    // of a chunk that does all three steps
constexpr int64_t kEnoughBlocks = 8;                   // as many, or the steps are cut on their own
constexpr int64_t kLeastBlocks = 4;                    // enough where their weights are in L2: they are made smaller then
constexpr int64_t kWeightsInL2 = int64_t{1} << 18;     // floats
constexpr int64_t kFewTiles = 30;                      // whose products may as well follow the transform of the weights
constexpr int64_t kFewChannels = 64;                   // transformed together then
constexpr int64_t kFewChunks = 8;                      // at least, then
constexpr int64_t kBlockFloats = int64_t{1} << 22;     // of V and M together, where the steps are cut on their own
constexpr int64_t kTransformGrain = int64_t{1} << 14;  // floats read, worth a chunk of a transform
constexpr int64_t kInputCost = 7;                      // vector operations a point of an input's transform is worth, its memory included
constexpr int64_t kOutputCost = 6;                     // of an output's
constexpr int64_t kTileCost = 32;                      // of either in sums over all tiles, which go through memory
constexpr int64_t kWeightCost = 12;                    // of a weight's
constexpr int64_t kFarWeightCost = 36;                 // the same where no cache holds them until they are read
constexpr int64_t kFewCost = 6;                        // the same where products follow at once
constexpr int64_t kKeptCost = 4;                       // the same where it was done before
constexpr int64_t kFarKeptCost = 8;                    // and no cache holds it until the next run
constexpr int64_t kWinogradGrain = int64_t{1} << 18;   // multiply-adds worth a chunk of products

// A matrix for each point, [count][pitch] floats: rows apart by an odd number of cache lines, and so are the matrices, or the lines of one
// tile would fall into few cache sets.
struct Matrices {
  float* data;
  int64_t pitch, apart;
  static int64_t pitch_of(int64_t columns) { return (columns + 31) / 32 * 32 + 16; }
  static int64_t apart_of(int64_t columns, int64_t count) { return (count * pitch_of(columns) / 16 | 1) * 16; }
  Matrices(float* p, int64_t columns, int64_t count) : data(p), pitch(pitch_of(columns)), apart(apart_of(columns, count)) {}
  float* row(int64_t point, int64_t index) const { return data + point * apart + index * pitch; }
};

namespace {

// A convolution cut into tiles.
struct Problem : Filtered {
  const Transforms& by;
  int64_t tile_rows, tile_cols;

  Problem(const Filtered& f, Filter filter) : Filtered(f), by(transforms_of(filter)), tile_cols(tiles_along(f.out.cols, f.across, by.col)) {
    if (by.row.taps == 1) down = 1;
    tile_rows = tiles_along(out.rows, down, by.row);
  }
  int64_t tiles() const { return images * tile_rows * tile_cols; }
  Place place(int64_t tile) const {
    const int64_t row = tile / tile_cols;
    return {row / tile_rows, first_of(row % tile_rows, out.rows, down, by.row), first_of(tile % tile_cols, out.cols, across, by.col)};
  }

 private:
  // Taps so far apart see one in so many cells: an axis falls into as many, each cut into tiles of its own. Tiles that go along follow each
  // other.
  static int64_t tiles_along(int64_t cells, int64_t apart, const TileShape& tile) {
    return smaller(cells, apart) * ((cells + apart * tile.outputs - 1) / (apart * tile.outputs));
  }
  static int64_t first_of(int64_t index, int64_t cells, int64_t apart, const TileShape& tile) {
    const int64_t axes = smaller(cells, apart);
    return index % axes + index / axes * tile.outputs * apart;
  }
};

// M = V U, or a part of its sum, for tiles [begin, end) at one point, one panel of columns: U has those of so many input channels.
void multiply(const Matrices& V, const Segment& channels, const float* U, const Matrices& M, const Panels& panels, int64_t panel, int point,
              int64_t begin, int64_t end) {
  const int nr = panels.width(panel);
  RowsStep step = {&channels, 1, U, nr * Vec::width, nullptr, channels.offset > 0, Vec::width};
  step.next = U + channels.length * step.b_step;  // where what is multiplied next lies
  step.next_step = step.b_step / larger<int64_t>((end - begin) / rows_for(nr), 1);
  run_rows(nr, {V.row(point, begin), V.pitch, M.row(point, begin) + panels.first(panel) * Vec::width, M.pitch, end - begin}, step);
}

float* floats(Context& context, int64_t n) { return static_cast<float*>(context.scratch(static_cast<size_t>(n) * sizeof(float))); }

float* zeros(Context& context, int64_t n) {
  float* p = floats(context, n);
  memset(p, 0, static_cast<size_t>(n) * sizeof(float));
  return p;
}

// Blocks of tiles whose matrices, of so many floats in all, are no larger than they should be.
int64_t blocks_for(int64_t floats) { return larger<int64_t>(1, (floats + kBlockFloats - 1) / kBlockFloats); }

// A chunk count for a step of this much work that can be cut into so many units.
int64_t chunks_of(int64_t work, int64_t grain, int64_t units) { return larger<int64_t>(1, smaller(units, work / grain)); }

// Calls each(unit) for all units, in about work / grain chunks.
template <class Each>
void cut(Context& context, int64_t units, int64_t work, int64_t grain, const Each& each) {
  const int64_t chunks = chunks_of(work, grain, units);
  context.parallel(chunks, [&](int64_t chunk, int slot) {
    for (int64_t unit = chunk * units / chunks; unit < (chunk + 1) * units / chunks; ++unit) each(unit, slot);
  });
}

// The transformed weights.
const float* transformed(const Problem& p, const FilterWeights& w, const Panels& panels, Context& context) {
  const int64_t C = p.in.channels;
  bool made;
  float* U = static_cast<float*>(context.keep(static_cast<size_t>(p.by.points() * panels.size(C)) * sizeof(float), &made));
  if (made) return U;
  constexpr int64_t kPiece = 16;  // input channels
  const int64_t pieces = (C + kPiece - 1) / kPiece;
  cut(context, pieces * panels.count(), p.by.row.taps * p.by.col.taps * C * panels.columns, kTransformGrain, [&](int64_t unit, int) {
    const int64_t begin = unit % pieces * kPiece;
    const int64_t panel = unit / pieces;
    float* const to = U + panels.offset(panel, C) + begin * panels.width(panel) * Vec::width;
    p.by.weights(w, panels, panel, begin, smaller(begin + kPiece, C), to, panels.size(C), {0, p.by.row.points});
  });
  return U;
}

// M = V U where tiles are few: a panel's products follow the transform of its weights, a few input channels at a time, whose points stay
// in L2.
void multiply_few(const Problem& p, const FilterWeights& w, const Matrices& V, const Matrices& M, const Panels& panels, Context& context) {
  const int64_t C = p.in.channels, apart = (kFewChannels * kMaxNR | 1) * Vec::width;
  const TileShape &down = p.by.row, &across = p.by.col;
  const int64_t points = p.by.points();
  float* const weights = floats(context, context.threads() * points * apart);
  const int64_t parts = smaller<int64_t>(down.points, (kFewChunks + panels.count() - 1) / panels.count());
  context.parallel(panels.count() * parts, [&](int64_t chunk, int slot) {
    const int64_t panel = chunk / parts, part = chunk % parts;
    const PointRows rows = {static_cast<int>(part * down.points / parts), static_cast<int>((part + 1) * down.points / parts)};
    float* const U = weights + slot * points * apart;
    for (int64_t c = 0; c < C; c += kFewChannels) {
      const Segment channels = {c, smaller(kFewChannels, C - c)};
      p.by.weights(w, panels, panel, c, c + channels.length, U, apart, rows);
      for (int point = rows.first * across.points; point < rows.end * across.points; ++point) {
        multiply(V, channels, U + point * apart, M, panels, panel, point, 0, p.tiles());
      }
    }
  });
}

// y = the convolution of x.
void run(const Problem& p, const float* x, const FilterWeights& w, const float* bias, const Finish& finish, float* y, Context& context) {
  const int64_t C = p.in.channels, K = p.out.channels, tiles = p.tiles(), points = p.by.points();
  const Panels panels(K);
  const int64_t padded = panels.vectors() * Vec::width;  // columns of M
  const Segment all = {0, C};
  const auto at = [&](int point, int64_t panel) { return point * panels.size(C) + panels.offset(panel, C); };
  const auto room = [&](int64_t count) { return points * (Matrices::apart_of(C, count) + Matrices::apart_of(padded, count)); };
  const float* outside = zeros(context, C);
  // Sums of few tiles are over a few channels at a time, whether their weights are transformed now or have been: results are the same.
  // Beyond the caches weights are transformed sooner than what was made of them is read.
  const bool in_pieces = tiles <= kFewTiles && !context.always_keeps();
  const bool few = in_pieces && (!context.keeps() || is_far(points * panels.size(C)));
  const float* U = few ? nullptr : transformed(p, w, panels, context);
  int64_t least = (tiles + kBlockTiles - 1) / kBlockTiles;
  if (least >= kLeastBlocks && points * panels.size(C) <= kWeightsInL2) least = larger(least, kEnoughBlocks);
  if (least >= kEnoughBlocks) {
    const int64_t blocks = (least + 3) / 4 * 4, most = (tiles + blocks - 1) / blocks;
    float* scratch = floats(context, context.threads() * room(most));
    context.parallel(blocks, [&](int64_t block, int slot) {
      const int64_t first = block * tiles / blocks, count = (block + 1) * tiles / blocks - first;
      float* own = scratch + slot * room(most);
      const Matrices V(own, C, most), M(own + points * V.apart, padded, most);
      for (int64_t t = 0; t < count; ++t) p.by.input(p, x, p.place(first + t), outside, V.row(0, t), V.apart);
      for (int64_t panel = 0; panel < panels.count(); ++panel) {
        for (int point = 0; point < points; ++point) multiply(V, all, U + at(point, panel), M, panels, panel, point, 0, count);
      }
      for (int64_t t = 0; t < count; ++t) p.by.output(p, M.row(0, t), M.apart, bias, finish, p.place(first + t), y);
    });
    return;
  }

  const int64_t blocks = few ? 1 : blocks_for(room(tiles)), most = (tiles + blocks - 1) / blocks;
  float* scratch = floats(context, room(most));
  const Matrices V(scratch, C, most), M(scratch + points * V.apart, padded, most);
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t first = block * tiles / blocks, count = (block + 1) * tiles / blocks - first;
    cut(context, count, count * points * C, kTransformGrain,
        [&](int64_t t, int) { p.by.input(p, x, p.place(first + t), outside, V.row(0, t), V.apart); });
    if (few) {
      multiply_few(p, w, V, M, panels, context);
    } else {
      // Chunks that follow each other take the same panel of U.
      const int64_t step = in_pieces ? kFewChannels : C;
      const int64_t parts = (count + 2 * kBlockTiles - 1) / (2 * kBlockTiles), units = points * panels.count() * parts;
      cut(context, units, points * count * C * K, kWinogradGrain, [&](int64_t unit, int) {
        const int64_t part = unit % parts, panel = unit / parts % panels.count();
        const int point = static_cast<int>(unit / parts / panels.count());
        for (int64_t c = 0; c < C; c += step) {
          multiply(V, {c, smaller(step, C - c)}, U + at(point, panel) + c * panels.width(panel) * Vec::width, M, panels, panel, point,
                   part * count / parts, (part + 1) * count / parts);
        }
      });
    }
    cut(context, count, count * points * K, kTransformGrain,
        [&](int64_t t, int) { p.by.output(p, M.row(0, t), M.apart, bias, finish, p.place(first + t), y); });
  }
}

// The gradient of the weights, dw [taps][C][K].
void run_backward_weight(const Problem& p, const float* x, const float* g, float* dw, Context& context) {
  const int64_t C = p.in.channels, K = p.out.channels, tiles = p.tiles(), points = p.by.points();
  const Panels panels(K);
  const int64_t padded = panels.vectors() * Vec::width;
  const auto room = [&](int64_t count) { return points * (Matrices::apart_of(C, count) + Matrices::apart_of(padded, count)); };
  const int64_t blocks = blocks_for(room(tiles)), most = (tiles + blocks - 1) / blocks;
  float* scratch = floats(context, room(most));
  const Matrices V(scratch, C, most), Q(scratch + points * V.apart, padded, most);
  const Matrices S(floats(context, points * Matrices::apart_of(padded, C)), padded, C);
  const float* outside = zeros(context, larger(C, K));
  const Tiles rows(C, rows_for(panels.width(panels.count() - 1)));  // the last panel is the widest
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t first = block * tiles / blocks, count = (block + 1) * tiles / blocks - first;
    cut(context, count, count * points * (C + K), kTransformGrain, [&](int64_t t, int) {
      p.by.input(p, x, p.place(first + t), outside, V.row(0, t), V.apart);
      p.by.gradient(p, g, p.place(first + t), outside, Q.row(0, t), Q.apart);
    });
    cut(context, points * panels.count() * rows.count, points * count * C * K, kWinogradGrain, [&](int64_t unit, int) {
      const int64_t index = unit % rows.count, panel = unit / rows.count % panels.count(), point = unit / rows.count / panels.count();
      const int64_t c = rows.begin(index), column = panels.first(panel) * Vec::width;
      const OuterStep step = {V.row(point, 0) + c,
                              0,
                              V.pitch,
                              Q.row(point, 0) + column,
                              0,
                              Q.pitch,
                              1,
                              count,
                              S.row(point, c) + column,
                              S.pitch,
                              nullptr,
                              block > 0,
                              Vec::width};
      outer_kernel(static_cast<int>(rows.begin(index + 1) - c), panels.width(panel))(step);
    });
  }
  cut(context, C, points * C * K, kTransformGrain, [&](int64_t c, int) { p.by.sums(S.row(0, c), S.apart, K, dw + c * K, C * K); });
}

// What one pass costs, in vector operations.
int64_t cost(const Problem& p, Transformed weights_are) {
  const int64_t in = Panels(p.in.channels).vectors(), out = Panels(p.out.channels).vectors(), weights = p.in.channels * out;
  const int64_t tiles = p.tiles(), points = p.by.points();
  const bool far = is_far(points * weights * Vec::width), few = weights_are == Transformed::now && tiles <= kFewTiles;
  const int64_t once = few                                ? kFewCost
                       : weights_are == Transformed::kept ? (far ? kFarKeptCost : kKeptCost)
                       : far                              ? kFarWeightCost
                                                          : kWeightCost;
  const int64_t transforms = weights_are == Transformed::sums ? kTileCost * (in + out) : kInputCost * in + kOutputCost * out;
  return points * (tiles * (weights + transforms) + once * weights);
}

}  // namespace

Filter filter_for(const Conv2dShape& s, const Filtered& f, Transformed weights_are, int64_t direct) {
  if (s.algorithm == Conv2dShape::direct || f.out.rows == 0 || f.out.cols == 0) return Filter::none;
  int64_t least = s.algorithm == Conv2dShape::winograd ? INT64_MAX : direct / 10 * 9;
  Filter best = Filter::none;
  const auto consider = [&](Filter filter) {
    if (const int64_t vectors = cost({f, filter}, weights_are); vectors < least) least = vectors, best = filter;
  };
  static constexpr Filter squares[] = {Filter::square4of3, Filter::square3of4, Filter::square2of5};
  static constexpr Filter rows[] = {Filter::row4of3, Filter::row3of4, Filter::row2of5};
  if (kSmall) {
    if (s.kh == 3) consider(Filter::square4of3);
  } else if (s.kh == 1) {
    consider(rows[s.kw - 3]);
  } else {
    if (s.kh == 3) consider(Filter::square2of3);
    consider(squares[s.kh - 3]);
  }
  return best;
}

void filter_forward(Filter filter, const Filtered& f, const FilterWeights& weights, const float* x, const float* bias, float* y,
                    Context& context, const Finish* finish) {
  const Finish nothing = {y, nullptr, {}};
  run({f, filter}, x, weights, bias, finish ? *finish : nothing, y, context);
}

void filter_backward_weight(Filter filter, const Filtered& f, const float* x, const float* g, float* dw, Context& context) {
  run_backward_weight({f, filter}, x, g, dw, context);
}

}  // namespace receptive::RECEPTIVE_ISA
