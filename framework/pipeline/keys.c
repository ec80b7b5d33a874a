/* The keys of a pipeline file. Single values are text to the reader, so that a schema lets numbers be written in
 * quotes. */
#include <string.h>

#include "base/error.h"
#include "pipeline/keys.h"

#define NAME_PATTERN "^[A-Za-z][A-Za-z0-9_-]*$"

const LbPipelineKey lb_pipeline_keys[] = {
  { "limbeck", "Version of the format; 1", "{\"enum\": [1, \"1\"]}" },
  { "title", "One line of text, in which ${name} stands for a param; the file's name when left out",
    "{\"type\": [\"string\", \"number\", \"boolean\"]}" },
  { "seed", "Seed of all randomness, 0 or more; 0 when left out",
    "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 0, \"maximum\": 9223372036854775807},"
    " {\"type\": \"string\", \"pattern\": \"^[0-9]+$\"}]}" },
  { "params",
    "Values with names, or lists of them: ${name} in the title and in values under 'with' stands for one; --param "
    "changes it",
    "{\"type\": \"object\", \"propertyNames\": {\"pattern\": \"" NAME_PATTERN "\"},"
    " \"additionalProperties\": {\"anyOf\": [{\"type\": [\"string\", \"number\", \"boolean\", \"null\"],"
    " \"not\": {\"type\": \"string\", \"pattern\": \"\\\\$\\\\{\"}},"
    " {\"type\": \"array\", \"items\": {\"type\": [\"string\", \"number\", \"boolean\"],"
    " \"not\": {\"type\": \"string\", \"pattern\": \"^$|[,$]\"}}}]}}" },
  { "matrix", "Lists of values for params: the file is run once for each combination",
    "{\"type\": \"object\", \"propertyNames\": {\"pattern\": \"" NAME_PATTERN "\"},"
    " \"additionalProperties\": {\"type\": \"array\", \"minItems\": 1, \"uniqueItems\": true,"
    " \"items\": {\"type\": [\"string\", \"number\", \"boolean\"],"
    " \"not\": {\"type\": \"string\", \"pattern\": \"^$|/|\\\\$\\\\{\"}}}}" },
  { "stages", "The stages by name, in any order",
    "{\"type\": \"object\", \"minProperties\": 1, \"maxProperties\": 256,"
    " \"propertyNames\": {\"pattern\": \"" NAME_PATTERN "\"},"
    " \"additionalProperties\": {\"$ref\": \"#/definitions/stage\"}}" },
  { NULL, NULL, NULL },
};

const LbPipelineKey lb_stage_keys[] = {
  { "plugin", "The stage type", NULL },
  { "inputs", "What each input reads: STAGE.PORT, or a list of them where the input takes many", NULL },
  { "with", "Properties of the stage; ${name} stands for a param, $${ for the characters ${", NULL },
  { NULL, NULL, NULL },
};

char *
lb_keys_suggest (const LbPipelineKey *keys, const char *word)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  for (const LbPipelineKey *key = keys; key->name != NULL; key++) {
    if (strcmp (key->name, word) == 0)
      return NULL;
    g_ptr_array_add (names, (gpointer)key->name);
  }
  g_ptr_array_add (names, NULL);
  return lb_suggestion (word, (const char *const *)names->pdata);
}
