// The context split over four blocks, online softmax a warp, a second launch merges.
#include <cuda_fp16.h>
#include <math_constants.h>

constexpr int kSplits = 4;
constexpr int kWarps = 4;
constexpr int kMostDim = 256;  // elements of a head, eight a lane
constexpr int kMine = kMostDim / 32;

extern "C" __global__ void attend(const __half* q, const __half* keys, const __half* values,
                                  const int* block_tables, const int* context_lens, float* parts,
                                  int kv_heads, int head_dim, int page_size, int pages,
                                  long long q_stride, float scale) {
  __shared__ float all_most[kWarps], all_sum[kWarps], all_mean[kWarps][kMostDim];
  const int head = blockIdx.x;
  const int sequence = blockIdx.y;
  const int kv_head = head / (gridDim.x / kv_heads);
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  const float by = scale != 0 ? scale : 1.0f / sqrtf(head_dim);
  const int length = context_lens[sequence];
  const int share = (length + kSplits - 1) / kSplits;
  const int begin = blockIdx.z * share;
  const int end = min(begin + share, length);
  float query[kMine], mean[kMine] = {};
  for (int k = 0; k < kMine; ++k) {
    const int i = lane + 32 * k;
    query[k] = i < head_dim ? __half2float(q[sequence * q_stride + head * head_dim + i]) : 0.0f;
  }
  float most = -CUDART_INF_F;
  float sum = 0;
  for (int token = begin + warp; token < end; token += kWarps) {
    const long long block = block_tables[sequence * pages + token / page_size];
    const long long row = ((block * page_size + token % page_size) * kv_heads + kv_head) * head_dim;
    float score = 0;
    for (int k = 0; k < kMine; ++k) {
      const int i = lane + 32 * k;
      if (i < head_dim) score += query[k] * __half2float(keys[row + i]);
    }
    for (int step = 16; step > 0; step /= 2) score += __shfl_xor_sync(0xFFFFFFFFU, score, step);
    score *= by;
    if (score == -CUDART_INF_F) continue;  // weighs nothing
    const float higher = fmaxf(most, score);
    const float shrink = most == -CUDART_INF_F ? 0.0f : expf(most - higher);
    const float p = expf(score - higher);
    sum = sum * shrink + p;
    for (int k = 0; k < kMine; ++k) {
      const int i = lane + 32 * k;
      if (i < head_dim) mean[k] = mean[k] * shrink + p * __half2float(values[row + i]);
    }
    most = higher;
  }
  if (lane == 0) {
    all_most[warp] = most;
    all_sum[warp] = sum;
  }
  for (int k = 0; k < kMine; ++k) all_mean[warp][lane + 32 * k] = mean[k];
  __syncthreads();
  float block_most = -CUDART_INF_F;
  for (int w = 0; w < kWarps; ++w) {
    if (all_sum[w] != 0) block_most = fmaxf(block_most, all_most[w]);
  }
  float block_sum = 0;
  for (int w = 0; w < kWarps; ++w) {
    if (all_sum[w] != 0) block_sum += all_sum[w] * expf(all_most[w] - block_most);
  }
  float* part = parts + ((sequence * gridDim.x + head) * kSplits + blockIdx.z) * (head_dim + 2);
  for (int i = threadIdx.x; i < head_dim; i += blockDim.x) {
    float value = 0;
    for (int w = 0; w < kWarps; ++w) {
      if (all_sum[w] != 0) value += all_mean[w][i] * expf(all_most[w] - block_most);
    }
    part[2 + i] = value;
  }
  if (threadIdx.x == 0) {
    part[0] = block_most;
    part[1] = block_sum;
  }
}

extern "C" __global__ void merge(const float* parts, __half* out, int head_dim) {
  const int row = blockIdx.y * gridDim.x + blockIdx.x;
  const float* part = parts + row * kSplits * (head_dim + 2);
  float most = -CUDART_INF_F;
  for (int s = 0; s < kSplits; ++s) {
    if (part[s * (head_dim + 2) + 1] != 0) most = fmaxf(most, part[s * (head_dim + 2)]);
  }
  float sum = 0;
  for (int s = 0; s < kSplits; ++s) {
    const float* one = part + s * (head_dim + 2);
    if (one[1] != 0) sum += one[1] * expf(one[0] - most);
  }
  for (int i = threadIdx.x; i < head_dim; i += blockDim.x) {
    float value = 0;
    for (int s = 0; s < kSplits; ++s) {
      const float* one = part + s * (head_dim + 2);
      if (one[1] != 0) value += one[2 + i] * expf(one[0] - most);
    }
    out[row * head_dim + i] = __float2half_rn(value / sum);
  }
}
