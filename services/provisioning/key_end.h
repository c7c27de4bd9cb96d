/*
 * The end of old versions of tenants' keys.
 *
 * After a rotation every service seals anew what lies under the old version (libcommon/reseal.h).
 * When all of them say that nothing is left that needs it, what waits for delivery included, days
 * are counted (--key-version-days), because backups that are older cannot be read without it; then
 * all are asked once more, and the version is destroyed in the keyring store. An answer that is
 * missing is no zero.
 */
#ifndef MANABIYA_PROVISIONING_KEY_END_H
#define MANABIYA_PROVISIONING_KEY_END_H

#include "libcommon/call.h"

#define KEY_END_EVERY_MS 60000 /* as often as things are sealed anew */

/* Count under one version, or destroy one. A job (service.h). */
enum err key_end_run(struct call *c, bool *more);

#endif
