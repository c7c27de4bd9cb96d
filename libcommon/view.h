/*
 * What a process still sees of the file system once it runs (Landlock, Linux 5.13 or newer).
 *
 * The skeleton notes the paths that the options name (conf.h, OPTION_READS and OPTION_WRITES), then
 * restricts the process to them and to what the libraries read: names, certificates, the own
 * program. Everything else is refused with EACCES, whatever the uid. Connecting to Unix sockets and
 * descriptors that are open already are not touched.
 *
 * Landlock holds for the calling thread and those that it starts, so all of this happens before the
 * first thread. A kernel without Landlock is said once in the log, and the process goes on: the
 * other fences (own uid, read-only root in containers, privileges.h) stand.
 */
#ifndef MANABIYA_VIEW_H
#define MANABIYA_VIEW_H

/* A file or a directory tree that is only read. A path that does not exist is left out; "" is none.
 */
void view_reads(const char *path);

/* The same for a file that may be replaced, by renaming or by another target of a link: its
 * directory is meant, and the one that it leads to. */
void view_reloads(const char *path);

/* A directory tree that is written to as well. For a file, or what does not exist yet, its
 * directory is meant, because files are replaced by renaming. */
void view_writes(const char *path);

/* The same for a directory alone: one that is not there now is not seen later either, and its
 * parent, which may be the root, is nobody's business. */
void view_writes_directory(const char *path);

/* From here on nothing else is seen, and no set-uid program gives anything back. Aborts if the
 * kernel has Landlock and refuses. */
void view_restrict(void);

#endif
