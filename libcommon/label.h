/*
 * Classification (x-label) and who may see what. Class II and above is for sessions with two
 * factors, where the role needs them; class I wants the password proven just now as well, which is
 * asked of operations only (dispatch.c).
 */
#ifndef MANABIYA_LABEL_H
#define MANABIYA_LABEL_H

#include <stdbool.h>

#include "libcommon/capability.h"
#include "libcommon/shape.h"

const char *label_name(enum label label); /* "I".."IV"; "" for none */

/* Has the actor proven as many factors as the class wants of this role? */
bool label_is_open(const struct actor *actor, enum label label);

/*
 * Take out of an answer every optional object whose shape is of a class that is not open to the
 * actor: it reads as if there were none. What is not optional has raised the operation's own label,
 * which the generator sees to.
 */
void label_withhold(const struct actor *actor, const struct shape *shape, void *out);

#endif
