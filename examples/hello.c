/* SPDX-License-Identifier: Apache-2.0 */
/* hello.c - 64 MiB of numbers in 8 MiB of RAM; the rest lies compressed in RAM and in a swap file. */
#include <stdio.h>
#include <zpager/zpager.h>

int main(void)
{
	struct zpager_options options = {.ram_bytes = 8 << 20, .store = "tier:lz4:,file:"};
	size_t bytes = (size_t)64 << 20, n = bytes / sizeof(long);
	struct zpager *z;
	struct z_stats stats;
	char error[256];

	if (zpager_open(&options, error, sizeof(error), &z) != 0) {
		fprintf(stderr, "hello: %s\n", error);
		return 1;
	}
	long *numbers = zpager_map(z, bytes, 0);
	if (numbers == NULL) {
		fprintf(stderr, "hello: %s\n", zpager_last_error(z));
		return 1;
	}
	for (size_t i = 0; i < n; i++)
		numbers[i] = (long)i;
	for (size_t i = 0; i < n; i++)
		if (numbers[i] != (long)i)
			return 1;
	zpager_stats(z, &stats, NULL);
	printf("%zu numbers are right, after %llu page faults\n", n,
	       (unsigned long long)stats.pagefaults);
	return zpager_close(z) != 0;
}
