/* Readings of names as lists sort and search them. */
#ifndef MANABIYA_KANA_H
#define MANABIYA_KANA_H

#include "libcommon/arena.h"

/*
 * The text in the form that is compared, byte by byte: hiragana, whatever kana it was written in.
 * What Unicode's NFKC does is done for what readings are made of: half-width kana with their marks,
 * full-width letters and signs, spaces, marks that stand alone. Other letters stay as they are;
 * what is not UTF-8 ends the text.
 */
const char *kana_key(struct arena *arena, const char *text);

#endif
