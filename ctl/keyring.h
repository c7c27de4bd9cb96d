/* `manabiyactl keyring`: the tenants' keys, where provisioning keeps them. */
#ifndef MANABIYA_CTL_KEYRING_H
#define MANABIYA_CTL_KEYRING_H

/*
 * keyring rotate --keyring DIRECTORY --keyring-root FILE --tenant ID: a new version of the tenant's
 * key. Services seal under it within a second and go on opening what is sealed under older ones.
 * To be run as the user of provisioning, whose directory it is.
 * keyring reseal …: every file under the root of today.
 * keyring seal --keyring-root FILE --keyring-passphrase FILE: the root key of that file, sealed
 * under the passphrase (keyring_root.h), to standard output. Returns the exit status: 0 ok, 1
 * failed, 2 usage, 6 the key service is unavailable. argv[0] is the command's name, argv[1] one of
 * these.
 */
int keyring_command(int argc, char **argv);

#endif
