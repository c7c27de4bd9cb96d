/* Privileges that are given up; see privileges.h. */
#include "libcommon/privileges.h"

#include <stdlib.h>
#include <sys/prctl.h>

void privileges_drop(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		abort();
}
