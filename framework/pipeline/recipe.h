/* Recipe: everything that a stage's results depend on, as text, one "label: value" a line. Its digest is the key that
 * the results are kept under.
 *
 * A stage's inputs stand in it by the keys of the stages they come from, and input files by the digest of their bytes.
 * As a stage computes the same bits from the same recipe, no result has to be looked at to know the keys of all stages,
 * and a source need not be read to know that everything behind it is there.
 */
#pragma once

#include "pipeline/plan.h"

G_BEGIN_DECLS

/* Of stage @index of the configured @plan. @keys: those of all stages before it, beside plan->stages. @arithmetic: what
 * computes (library and kernels); NULL: not told. @cache: for lb_digest_of_path(). Free with g_free(). */
char *lb_recipe_text (const LbPlan *plan, guint index, char *const *keys, const char *arithmetic, const char *cache);

char *lb_recipe_key (const char *recipe);

/* Before the name of a property in its label. */
#define LB_RECIPE_PROPERTY "property "

/* The value of @label in @recipe, or NULL; free with g_free(). */
char *lb_recipe_get (const char *recipe, const char *label);

/* What is otherwise in @recipe than in @earlier, as the end of a sentence: "property grid changed from 4 to 5 and 2
 * more things". *count is the number of differences. Free with g_free(). */
char *lb_recipe_difference (const char *earlier, const char *recipe, guint *count);

/* The label that alone has another value in @earlier; NULL when there are more, or none. Free with g_free(). */
char *lb_recipe_only_difference (const char *earlier, const char *recipe);

G_END_DECLS
