/* Login salts; see keyring_salt.h. keyring_file.c makes them. */
#include "libcommon/keyring_salt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

void keyring_salt_name(const char *tenant_id, char out[KEYRING_NAME_SIZE])
{
	snprintf(out, KEYRING_NAME_SIZE, "%s.login", tenant_id);
}

enum err keyring_salt_read(int directory, const char *tenant_id, unsigned char out[KEY_SIZE])
{
	char name[KEYRING_NAME_SIZE];
	keyring_salt_name(tenant_id, name);
	int file = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (file < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
	ssize_t n = read(file, out, KEY_SIZE);
	close(file);
	return n == KEY_SIZE ? OK : ERR_UNAVAILABLE;
}
