/* `manabiyactl keys`: the secrets that a deployment needs before its first start. */
#ifndef MANABIYA_CTL_KEYS_H
#define MANABIYA_CTL_KEYS_H

/*
 * keys --directory DIR: make what is not there yet, leave the rest alone, print what was made.
 *   capability.key, capability.pub   auth's Ed25519 seed and the public key that everybody gets
 *   tenant-mac.key, password.key     auth; the first also goes to `manabiyactl migrate`
 *   keyring-root.key                 provisioning and learning
 *   checkpoint.key, checkpoint.pub   audit, and whoever checks the log
 *   bootstrap.secret                 the first operator's one-time secret
 *   bus/<service>/<caller>-<callee>.key   each process gets its own directory, nothing else
 * Returns the exit status. argv[0] is the command's name.
 */
int keys_command(int argc, char **argv);

#endif
