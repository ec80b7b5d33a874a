/* Documents: the tree, its places, and a placed sentence for whatever is not the plain subset of YAML. */
#include "base/document.h"
#include "base/error.h"
#include "base/file.h"

#include <glib/gstdio.h>
#include <string.h>

static LbDocument *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  LbDocument *document = lb_document_parse ("f.yaml", text, strlen (text), LB_ERROR_PIPELINE, &error);

  g_assert_no_error (error);
  return document;
}

static void
test_tree (void)
{
  g_autoptr (LbDocument) document = parse ("limbeck: 1\n"
                                           "# a comment\n"
                                           "stages:\n"
                                           "  a: {x: \"1\", y: [p, 'q']}\n"
                                           "  ümlaut: yes\n"
                                           "empty:\n");
  const LbDocumentNode *root = document->root;

  g_assert_cmpint (root->kind, ==, LB_DOCUMENT_MAPPING);
  g_assert_cmpuint (root->keys->len, ==, 3);
  g_assert_cmpuint (root->items->len, ==, 3);
  g_assert_cmpstr (((LbDocumentNode *)root->keys->pdata[1])->text, ==, "stages");
  g_assert_cmpstr (lb_document_get (root, "limbeck")->text, ==, "1");
  g_assert_false (lb_document_get (root, "limbeck")->quoted);
  g_assert_null (lb_document_get (root, "missing"));

  const LbDocumentNode *a = lb_document_get (lb_document_get (root, "stages"), "a");
  g_assert_cmpstr (lb_document_get (a, "x")->text, ==, "1");
  g_assert_true (lb_document_get (a, "x")->quoted);
  const LbDocumentNode *y = lb_document_get (a, "y");
  g_assert_cmpint (y->kind, ==, LB_DOCUMENT_SEQUENCE);
  g_assert_null (y->keys);
  g_assert_cmpuint (y->items->len, ==, 2);
  g_autofree char *place = lb_document_place (document, y->items->pdata[1]);
  g_assert_cmpstr (place, ==, "f.yaml:4:22");
  /* Columns count letters, not bytes. */
  const LbDocumentNode *yes = lb_document_get (lb_document_get (root, "stages"), "ümlaut");
  g_assert_cmpuint (yes->line, ==, 5);
  g_assert_cmpuint (yes->column, ==, 11);
  g_assert_cmpstr (yes->text, ==, "yes");
  g_assert_cmpstr (lb_document_get (root, "empty")->text, ==, "");
  g_assert_false (lb_document_get (root, "empty")->quoted);
}

/* Names of architectures with options need no quotes in a list. */
static void
test_colons_in_lists (void)
{
  g_autoptr (LbDocument) document = parse ("a: [convnet-d3:width=64:norm=batch, vit]\n");
  const LbDocumentNode *list = lb_document_get (document->root, "a");

  g_assert_cmpuint (list->items->len, ==, 2);
  g_assert_cmpstr (((LbDocumentNode *)list->items->pdata[0])->text, ==, "convnet-d3:width=64:norm=batch");
}

static void
test_blocks (void)
{
  g_autoptr (LbDocument) document
      = parse ("\xEF\xBB\xBF---\r\ndoc: >-\r\n  two\r\n  lines\r\nraw: |\r\n  as\r\n  is\r\n...\r\n");

  g_assert_cmpstr (lb_document_get (document->root, "doc")->text, ==, "two lines");
  g_assert_true (lb_document_get (document->root, "doc")->quoted);
  g_assert_cmpstr (lb_document_get (document->root, "raw")->text, ==, "as\nis\n");
}

static void
test_no_guessing (void)
{
  g_autoptr (LbDocument) document = parse ("a: 0x10\nb: 1e3\nc: no\nd: ~\ne: 010\nf: 2001-01-01\n<<: x\n");
  static const char *const expected[] = { "0x10", "1e3", "no", "~", "010", "2001-01-01", "x" };

  for (guint i = 0; i < G_N_ELEMENTS (expected); i++)
    g_assert_cmpstr (((LbDocumentNode *)document->root->items->pdata[i])->text, ==, expected[i]);
}

static const struct {
  const char *name, *text, *message;
} refusals[] = {
  { "duplicate-key", "a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n",
    "f.yaml:5:3: the key 'c' stands here again after f.yaml:3:3, where each key was expected once; remove or rename "
    "one "
    "of them" },
  { "duplicate-quoted-key", "a: 1\n\"a\": 2\n", "f.yaml:2:1: the key 'a' stands here again after f.yaml:1:1*" },
  { "anchor", "a: &x 1\n", "f.yaml:1:4: the anchor '&x' is not part of*write the value out*" },
  { "anchor-on-a-mapping", "a: &x\n  b: 1\n", "f.yaml:1:4: the anchor '&x'*" },
  { "alias", "a: 1\nb: *x\n", "f.yaml:2:4: the alias '[*]x' is not part of*" },
  { "tag", "a: !!int 1\n", "f.yaml:1:4: the tag '*int' is not part of*leave it out*" },
  { "tag-on-a-list", "a: !x [1]\n", "f.yaml:1:4: the tag '!x'*" },
  { "second-document", "a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document starts here*" },
  { "directive", "%YAML 1.1\n---\na: 1\n", "f.yaml:1:1: lines that start with '%'*" },
  { "list-as-root", "- a\n- b\n", "f.yaml:1:1: found a list, where lines of the form 'key: value' were expected*" },
  { "text-as-root", "hello\n", "f.yaml:1:1: found a single value*" },
  { "nothing", "", "f.yaml:1:1: the document is empty*" },
  { "only-a-comment", "# nothing\n", "f.yaml:1:1: the document is empty*" },
  { "only-a-start", "---\n", "f.yaml:*: the document is empty*" },
  { "list-as-key", "? [a, b]\n: 1\n", "f.yaml:1:3: found a list as a key*" },
  { "mapping-as-key", "a:\n  {b: 1}: 2\n", "f.yaml:2:3: found a mapping as a key*" },
  { "open-bracket", "a: [1, 2\nb: 3\n", "f.yaml:2:*: this is not YAML: *" },
  { "wrong-indentation", "a:\n    b: 1\n  c: 2\n", "f.yaml:3:3: this is not YAML: *" },
  { "tab", "a:\n\tb: 1\n", "f.yaml:2:1: this is not YAML: *" },
  { "open-quote", "a: \"b\n", "f.yaml:*: this is not YAML: *" },
  { "latin-1", "a: 1\nb: caf\xE9\n", "f.yaml:2:7: found the byte 0xe9, where printable UTF-8 text was expected*" },
  { "control-character", "a: 1\nbü: x\x01\n", "f.yaml:2:6: found a control character*" },
  { "escaped-nul", "a: \"x\\0y\"\n", "f.yaml:1:4: found the character \\0 in a value*" },
};

static void
assert_matches (const char *message, const char *pattern)
{
  /* "[*]" stands for a star itself. */
  g_auto (GStrv) stars = g_strsplit (message, "*", -1);
  g_auto (GStrv) wanted = g_strsplit (pattern, "[*]", -1);
  g_autofree char *plain = g_strjoinv ("\x1F", stars), *plain_pattern = g_strjoinv ("\x1F", wanted);

  if (!g_pattern_match_simple (plain_pattern, plain))
    g_error ("'%s' is not of the form '%s'", message, pattern);
}

static void
test_refusal (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autoptr (GError) error = NULL;

  g_assert_null (lb_document_parse ("f.yaml", refusals[i].text, strlen (refusals[i].text), LB_ERROR_PLUGIN, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PLUGIN);
  assert_matches (error->message, refusals[i].message);
}

static void
assert_refused (const GString *text, const char *pattern)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (lb_document_parse ("f.yaml", text->str, text->len, LB_ERROR_PIPELINE, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PIPELINE);
  assert_matches (error->message, pattern);
}

static void
test_bounds (void)
{
  g_autoptr (GString) deep = g_string_new ("a: ");
  g_autoptr (GString) many = g_string_new ("a: [");
  g_autoptr (GString) large = g_string_new ("a: ");

  for (guint i = 0; i < 100000; i++)
    g_string_append_c (deep, '[');
  assert_refused (deep, "f.yaml:1:35: values are nested more than 32 deep*");
  for (guint i = 0; i < 100001; i++)
    g_string_append (many, "1,");
  assert_refused (many, "f.yaml:1:*: the document has more than 100000 values*");
  while (large->len <= 1024 * 1024)
    g_string_append (large, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
  assert_refused (large, "f.yaml: is * bytes long, where at most 1048576 were expected*");
}

static void
test_zero_byte (void)
{
  g_autoptr (GString) text = g_string_new_len ("a: 1\nb\0: 2\n", 11);

  assert_refused (text, "f.yaml:2:2: found the byte 0x00*");
}

/* Whatever is cut off anywhere: a document or one placed error. */
static void
test_every_prefix (void)
{
  static const char text[] = "a: {b: [1, 'x', \"y\\u00e9\"], c: >-\n  t\n}\nd:\n  - &e f\n  - *e\n  - ? g\n    : h\n";

  for (gsize length = 0; length < sizeof text; length++) {
    g_autoptr (GError) error = NULL;
    g_autofree char *part = g_memdup2 (text, MAX (length, 1));
    g_autoptr (LbDocument) document = lb_document_parse ("f.yaml", part, length, LB_ERROR_PIPELINE, &error);
    g_assert_true ((document == NULL) == (error != NULL));
  }
}

static void
test_read (void)
{
  g_autofree char *directory = g_dir_make_tmp ("limbeck-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (directory, "p.yaml", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (lb_document_read (path, LB_ERROR_PIPELINE, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PIPELINE);
  g_assert_nonnull (strstr (error->message, "there is no such file"));
  g_assert_true (lb_file_write (path, "a: b\n", 5, NULL));
  g_autoptr (LbDocument) document = lb_document_read (path, LB_ERROR_PIPELINE, NULL);
  g_assert_cmpstr (document->path, ==, path);
  g_assert_cmpstr (lb_document_get (document->root, "a")->text, ==, "b");
  g_assert_cmpint (g_remove (path), ==, 0);
  g_assert_cmpint (g_rmdir (directory), ==, 0);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/document/keeps-order-text-and-places", test_tree);
  g_test_add_func ("/document/colons-in-lists-need-no-quotes", test_colons_in_lists);
  g_test_add_func ("/document/reads-block-text-and-windows-line-ends", test_blocks);
  g_test_add_func ("/document/guesses-no-types", test_no_guessing);
  for (guint i = 0; i < G_N_ELEMENTS (refusals); i++) {
    g_autofree char *name = g_strconcat ("/document/refuses/", refusals[i].name, NULL);
    g_test_add_data_func (name, GUINT_TO_POINTER (i), test_refusal);
  }
  g_test_add_func ("/document/bounds-depth-values-and-length", test_bounds);
  g_test_add_func ("/document/refuses-zero-bytes", test_zero_byte);
  g_test_add_func ("/document/every-prefix-is-read-or-refused", test_every_prefix);
  g_test_add_func ("/document/reads-files-with-the-callers-code", test_read);
  return g_test_run ();
}
