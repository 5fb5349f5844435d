#include "matmul.h"

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

template <class T>
void matmul(const MatmulArgs<T>& p, Context&) {
  for (int64_t i = 0; i < p.batch; ++i) {
    const T *a = p.a + i * p.M * p.K, *b = p.b + i * p.K * p.N;
    T* y = p.y + i * p.M * p.N;
    for (int64_t m = 0; m < p.M; ++m)
      for (int64_t n = 0; n < p.N; ++n) {
        T sum = p.bias ? p.bias[n] : 0;
        for (int64_t k = 0; k < p.K; ++k)
          sum += (p.trans_a ? a[k * p.M + m] : a[m * p.K + k]) * (p.trans_b ? b[n * p.K + k] : b[k * p.N + n]);
        y[m * p.N + n] = clipped(sum, p.clip);
      }
  }
}

template void matmul<double>(const MatmulArgs<double>&, Context&);

}  // namespace reference

// a, b, bias|0, y; transA, transB, low, high. Rank 2, or rank 3 with the batch first.
void record_matmul(Call& call) {
  const Tensor &a = call.in(0), &b = call.in(1), &y = call.in(3);
  const Tensor* bias = call.optional(2);
  call.require_float(a, "left operand");
  call.require_dtype(b, a.dtype, "right operand");
  call.require_dtype(y, a.dtype, "output");
  if (a.rank != 2 && a.rank != 3) call.fail("left operand has shape %s, expected rank 2 or 3", shape_text(a).c_str());
  call.require_rank(b, a.rank, "right operand");
  call.require_rank(y, a.rank, "output");

  const int row = a.rank - 2, column = a.rank - 1;
  const bool trans_a = call.integer(0, 0, 1) != 0, trans_b = call.integer(1, 0, 1) != 0;
  const int64_t batch = a.rank == 3 ? a.dims[0] : 1;
  const int64_t M = a.dims[trans_a ? column : row], K = a.dims[trans_a ? row : column], N = b.dims[trans_b ? row : column];
  if (b.dims[trans_b ? column : row] != K || (a.rank == 3 && b.dims[0] != batch))
    call.fail("cannot multiply %s%s by %s%s", shape_text(a).c_str(), trans_a ? " transposed" : "", shape_text(b).c_str(),
              trans_b ? " transposed" : "");
  if (y.dims[row] != M || y.dims[column] != N || (a.rank == 3 && y.dims[0] != batch))
    call.fail("output has shape %s, expected [%s%lld,%lld]", shape_text(y).c_str(),
              a.rank == 3 ? (std::to_string(batch) + ",").c_str() : "", static_cast<long long>(M), static_cast<long long>(N));
  call.require(!trans_a || !clips(clip_of(call, 2)), "a product with a transposed left operand cannot be clipped");
  if (bias) {
    call.require_dtype(*bias, a.dtype, "bias");
    if (bias->rank != 1 || bias->dims[0] != N)
      call.fail("bias has shape %s, expected [%lld]", shape_text(*bias).c_str(), static_cast<long long>(N));
  }
  if (a.dtype == Dtype::float32) {
    call.keep = Call::Keep::shared;
    call.submit(kernels().matmul, MatmulArgs<float>{batch, M, N, K, trans_a, trans_b, a.as<float>(), b.as<float>(),
                                                    bias ? bias->as<float>() : nullptr, y.as<float>(), clip_of(call, 2)});
  } else {
    call.submit(reference::matmul<double>, MatmulArgs<double>{batch, M, N, K, trans_a, trans_b, a.as<double>(), b.as<double>(),
                                                              bias ? bias->as<double>() : nullptr, y.as<double>(), clip_of(call, 2)});
  }
}

}  // namespace receptive
