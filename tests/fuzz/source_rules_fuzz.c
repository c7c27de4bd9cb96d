/* A file of source rules: read or refused; what is read holds itself and has no bits behind it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "services/gateway/source_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct source_rules rules;
	unsigned line;
	if (source_rules_read(&rules, (const char *)data, n, &line) == ERR_INVALID) {
		if (!line)
			abort();
		return 0;
	}
	for (size_t i = 0; i < rules.n; i++) {
		const struct cidr *range = &rules.rules[i].range;
		if (range->bits > (range->is_v4 ? 32U : 128U) || !cidr_has(range, range))
			abort();
		(void)source_rules_admit(&rules, range);
	}
	return 0;
}
