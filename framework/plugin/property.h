/* Properties at work: from the text or document node that a user wrote to the value in a stage's struct, and back.
 * Private to the framework; plugins declare tables (stage.h).
 */
#pragma once

#include "base/document.h"
#include "plugin/stage.h"

G_BEGIN_DECLS

/* The row of @type named @name, or NULL. */
const LbProperty *lb_property_find (const LbStageType *type, const char *name);

/* Gives every property of @self its default; those without one are marked as not given yet. */
void lb_properties_init (const LbStageType *type, gpointer self);

/* Whether @property of @self has a value: FALSE only when it has no default and was never set. */
gboolean lb_property_is_given (const LbProperty *property, gconstpointer self);

/* "property 'images' is missing; it expects a path (file of images): give it under 'with'"; free with g_free(). What
 * lb_configure_run() says of the first such property; a caller that reports all of them asks for each. */
char *lb_property_missing_text (const LbProperty *property);

/* Puts @stage, the stage's name in the pipeline, for each '*' in names of result files. Once, after all properties are
 * set. */
void lb_properties_complete (const LbStageType *type, gpointer self, const char *stage);

/* Frees what properties own and sets them to zero. Not @self. */
void lb_properties_clear (const LbStageType *type, gpointer self);

/* Stores @node (a scalar, or a sequence for list kinds; already free of ${...}) as @property of @self. @directory is
 * what relative paths are taken from. Fails with LB_ERROR_PIPELINE; the message has no place, the caller adds it:
 * "property 'grid' is 0; expected a whole number from 1 to 32; ..." */
gboolean lb_property_set (const LbProperty *property, gpointer self, const LbDocumentNode *node, const char *directory,
                          GError **error);

/* The same from the command line's --set and from the tables' defaults: lists are separated by commas, or written in
 * brackets as in a pipeline file. */
gboolean lb_property_set_text (const LbProperty *property, gpointer self, const char *text, const char *directory,
                               GError **error);

/* The value as it would be written in a pipeline file, canonical (for `check`, logs, digests); empty when it was not
 * given; free with g_free(). */
char *lb_property_to_text (const LbProperty *property, gconstpointer self);

/* The limits of a number, inclusive; infinite where there is none. */
void lb_property_bounds (const LbProperty *property, double *minimum, double *maximum);

/* "whole number from 1 to 32", "one of noise, real", ...; free with g_free(). */
char *lb_property_type_text (const LbProperty *property);

G_END_DECLS
