/* The proof program of the hand-off: an MPI allreduce over all ranks, checked number by number.
 *
 * Prints, and podwright reads (every line begins with "podwright-allreduce"):
 *   podwright-allreduce rank R of N on HOST
 *   podwright-allreduce size BYTES microseconds T busbw_gbytes_per_s B wrong W
 *   podwright-allreduce result ranks N hosts H correct yes|no busbw_gbytes_per_s B
 * busbw is the bus bandwidth as nccl-tests defines it: bytes / time * 2 (N-1) / N, the rate at which
 * data crosses the slowest link, in 10^9 bytes a second. The last line carries that of the largest size:
 * small ones tell latency, and what buffers on the way can swallow.
 * Exits with 1 when a sum was wrong.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { largest = 32 << 20, name_size = MPI_MAX_PROCESSOR_NAME };

/* Whole numbers well below 2^24, so that every sum of floats is exact for 10,000 ranks and more. */
static float part(int rank, size_t i) { return (float)(rank % 128 + (int)(i % 13)); }

static float expected(int ranks, size_t i) {
  double sum = 0;
  for (int rank = 0; rank < ranks; ++rank) sum += part(rank, i);
  return (float)sum;
}

/* What one rank found wrong in its copy of the result. part() repeats every 13 numbers. */
static long count_wrong(const float* result, size_t count, int ranks) {
  float wanted[13];
  for (size_t i = 0; i < 13; ++i) wanted[i] = expected(ranks, i);
  long wrong = 0;
  for (size_t i = 0; i < count; ++i) wrong += result[i] != wanted[i % 13];
  return wrong;
}

static int count_hosts(const char* names, int ranks) {
  int hosts = 0;
  for (int i = 0; i < ranks; ++i) {
    int seen = 0;
    for (int j = 0; j < i && !seen; ++j) seen = !strcmp(names + i * name_size, names + j * name_size);
    hosts += !seen;
  }
  return hosts;
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0, ranks = 0, length = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);

  char name[name_size] = {0};
  MPI_Get_processor_name(name, &length);
  char* names = rank == 0 ? malloc((size_t)ranks * name_size) : NULL;
  float* mine = malloc(largest);
  float* sums = malloc(largest);
  if (!mine || !sums || (rank == 0 && !names)) {
    fprintf(stderr, "podwright-allreduce: out of memory on %s\n", name);
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  MPI_Gather(name, name_size, MPI_CHAR, names, name_size, MPI_CHAR, 0, MPI_COMM_WORLD);
  if (rank == 0) {
    for (int i = 0; i < ranks; ++i)
      printf("podwright-allreduce rank %d of %d on %s\n", i, ranks, names + i * name_size);
  }
  for (size_t i = 0; i < largest / sizeof(float); ++i) mine[i] = part(rank, i);

  double busbw = 0;
  long wrong_in_all = 0;
  for (size_t bytes = 8 << 10; bytes <= largest; bytes *= 8) {
    const int count = (int)(bytes / sizeof(float));
    const int times = bytes < (1 << 20) ? 20 : 3;
    memset(sums, 0xff, bytes);
    MPI_Allreduce(mine, sums, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD); /* connects, and is checked */
    long wrong = count_wrong(sums, (size_t)count, ranks), wrong_anywhere = 0;
    MPI_Allreduce(&wrong, &wrong_anywhere, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    wrong_in_all += wrong_anywhere;

    MPI_Barrier(MPI_COMM_WORLD);
    const double began = MPI_Wtime();
    for (int i = 0; i < times; ++i)
      MPI_Allreduce(mine, sums, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    double seconds = (MPI_Wtime() - began) / times, slowest = 0;
    MPI_Allreduce(&seconds, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    busbw = (double)bytes / slowest * 2 * (ranks - 1) / ranks / 1e9;
    if (rank == 0)
      printf("podwright-allreduce size %zu microseconds %.1f busbw_gbytes_per_s %.6f wrong %ld\n",
             bytes, slowest * 1e6, busbw, wrong_anywhere);
  }
  if (rank == 0)
    printf("podwright-allreduce result ranks %d hosts %d correct %s busbw_gbytes_per_s %.6f\n", ranks,
           count_hosts(names, ranks), wrong_in_all ? "no" : "yes", busbw);
  free(mine);
  free(sums);
  free(names);
  MPI_Finalize();
  return wrong_in_all ? 1 : 0;
}
