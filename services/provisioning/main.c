/* provisioning: contracts, schools, people, classes, enrolments and function limits. */
#include "libcommon/service.h"
#include "services/provisioning/provisioning.h"

int main(int argc, char **argv)
{
	static const struct service provisioning = {
		.name = "provisioning",
		.ops = provisioning_ops,
		.ops_n = PROVISIONING_OPS_N,
		.keyring = KEYRING_WRITES,
		.workers = 4,
	};
	return service_main(argc, argv, &provisioning);
}
