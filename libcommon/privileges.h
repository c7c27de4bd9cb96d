/* Giving up, once and for all, what a running process does not need. */
#ifndef MANABIYA_PRIVILEGES_H
#define MANABIYA_PRIVILEGES_H

/*
 * From here on the process can gain nothing: no set-uid programs, no core dumps with keys, no
 * debugger. Called by every process after it has read its secrets and opened its listeners; aborts
 * if the kernel refuses.
 */
void privileges_drop(void);

#endif
