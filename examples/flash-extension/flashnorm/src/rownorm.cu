// The Euclidean norms of a matrix's rows: on the GPU if nvcc compiled this and there is one, else on the CPU.
#include <cmath>

static void on_cpu(const float *in, float *out, long rows, long columns) {
    for (long r = 0; r < rows; r++) {
        double sum = 0;
        for (long c = 0; c < columns; c++) sum += double(in[r * columns + c]) * in[r * columns + c];
        out[r] = float(std::sqrt(sum));
    }
}

#ifdef __CUDACC__
// One block sums one row.
__global__ void norms_kernel(const float *in, float *out, long columns) {
    __shared__ float partial[256];
    float sum = 0;
    for (long c = threadIdx.x; c < columns; c += blockDim.x) {
        float v = in[blockIdx.x * columns + c];
        sum += v * v;
    }
    partial[threadIdx.x] = sum;
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) out[blockIdx.x] = sqrtf(partial[0]);
}

static bool on_gpu(const float *in, float *out, long rows, long columns) {
    float *from = nullptr, *to = nullptr;
    bool ok = cudaMalloc(&from, rows * columns * sizeof(float)) == cudaSuccess && cudaMalloc(&to, rows * sizeof(float)) == cudaSuccess &&
              cudaMemcpy(from, in, rows * columns * sizeof(float), cudaMemcpyHostToDevice) == cudaSuccess;
    if (ok) {
        norms_kernel<<<rows, 256>>>(from, to, columns);
        ok = cudaGetLastError() == cudaSuccess && cudaMemcpy(out, to, rows * sizeof(float), cudaMemcpyDeviceToHost) == cudaSuccess;
    }
    cudaFree(from);
    cudaFree(to);
    return ok;
}
#endif

extern "C" const char *row_norms(const float *in, float *out, long rows, long columns) {
#ifdef __CUDACC__
    int devices = 0;
    if (rows > 0 && cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0) return on_gpu(in, out, rows, columns) ? nullptr : "the GPU failed";
#endif
    on_cpu(in, out, rows, columns);
    return nullptr;
}
