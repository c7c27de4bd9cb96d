/* Giving up, once and for all, what a running process does not need. */
#ifndef MANABIYA_PRIVILEGES_H
#define MANABIYA_PRIVILEGES_H

/*
 * From here on the process can gain nothing: no set-uid programs, no core dumps with keys, no
 * debugger, and only the system calls that a service needs (seccomp, for every thread). What is not
 * on the list fails with EPERM: new listeners, mounts, other socket families. What only an
 * intruder would call ends the process: execve, ptrace, bpf and their like.
 *
 * Called by every process after it has read its secrets and opened its listeners; aborts if the
 * kernel refuses. What remains of the file system is settled before, see view.h.
 */
void privileges_drop(void);

#endif
