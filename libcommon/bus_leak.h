/*
 * For tests of the bus, included once in each: what the leak sanitizer is not to report.
 *
 * libnng 1.5.2 forgets a dialer that is closed in the moment in which a pipe of it begins, as it
 * does again and again where a peer refuses. Seldom, and only at the end of a process.
 */
#ifndef MANABIYA_BUS_LEAK_H
#define MANABIYA_BUS_LEAK_H

const char *__lsan_default_suppressions(void); /* NOLINT(bugprone-reserved-identifier): its name */
const char *__lsan_default_suppressions(void) /* NOLINT(bugprone-reserved-identifier) */
{
	return "leak:ipc_ep_dial_cb\nleak:ipc_ep_init_dialer\nleak:ipc_dialer_dial\n";
}

#endif
