/* The root that tenants' keys are put under: since when it is that one. */
#ifndef MANABIYA_PROVISIONING_KEY_ROOT_H
#define MANABIYA_PROVISIONING_KEY_ROOT_H

#include "libcommon/call.h"

#define KEY_ROOT_EVERY_MS 2000 /* until it is noted, once after each start */

/* Note a root that was never used before, with a record in the operator's log. A job (service.h).
 */
enum err key_root_run(struct call *c, bool *more);

#endif
