// Convolutions one behind the other, a few rows of the image at a time: what one makes is still in a core's cache when the next reads it,
// and is never there as a whole. Blocks of 1x1, depthwise and 1x1 convolutions move several times the memory of their inputs and outputs
// otherwise.
//
//   for each chunk: image, run of rows of the last output                 as many as make the rows made twice few
//     for each few of these rows
//       each convolution makes the rows of its output that are new        behind those that are still seen, in memory of the chunk
#pragma once

#include "conv2d.h"

namespace receptive {

constexpr int kMostChained = 3;

template <class T>
struct Conv2dChainArgs {
  int64_t count;                                   // of convolutions, 2 or more
  void (*conv2d)(const Conv2dArgs<T>&, Context&);  // that runs a part of one
  Conv2dArgs<T> parts[kMostChained];               // x of the first, add and y of the last, nothing between them
};

template <class T>
void conv2d_chain(const Conv2dChainArgs<T>&, Context&);

}  // namespace receptive
