/* The pickle subset of files of tensors (Lib/pickletools.py of Python describes the opcodes, torch/serialization.py and
 * torch/_utils.py of PyTorch the names).
 *
 * Invariants: each opcode makes one value at most, so that memory is bounded by the length of the pickle; values belong
 * to one list, so that shared and circular ones are freed once; no value is walked into here, so that depth does not
 * matter.
 */
#include "tensor/pickle.h"

#include "base/error.h"
#include "base/unpack.h"

#include <string.h>

typedef struct {
  const char *place;
  const guint8 *start, *at, *end;
  guint8 opcode;
  GPtrArray *values; /* all there are */
  GPtrArray *stack;
  GArray *marks;    /* guint: heights of the stack */
  GHashTable *memo; /* number -> value */
  LbPickleValue *result;
  GError **error;
} Machine;

static const LbPickleElement elements[] = {
  { "FloatStorage", 'f', 4 }, { "DoubleStorage", 'F', 8 }, { "HalfStorage", 'h', 2 },  { "BFloat16Storage", 'b', 2 },
  { "LongStorage", '8', 8 },  { "IntStorage", '4', 4 },    { "ShortStorage", '2', 2 }, { "CharStorage", '1', 1 },
  { "ByteStorage", 'u', 1 },  { "BoolStorage", 'B', 1 },
};

/* Names that mean data, beside the storages. */
#define TENSOR         "torch._utils _rebuild_tensor_v2"
#define PARAMETER      "torch._utils _rebuild_parameter"
#define ORDERED        "collections OrderedDict"
#define ENCODE         "_codecs encode"
#define NUMPY_TYPE     "numpy dtype"
#define NUMPY_NUMBER   "numpy.core.multiarray scalar"
#define NUMPY_NUMBER_2 "numpy._core.multiarray scalar"
static const char *const names[]
    = { TENSOR, PARAMETER, ORDERED, ENCODE, NUMPY_TYPE, NUMPY_NUMBER, NUMPY_NUMBER_2, NULL };

/* ---- Refusals ---- */

static gboolean
broken (Machine *machine, const char *what)
{
  return lb_input_error (machine->place, machine->error,
                         "%s at byte %d; the file is damaged or no file of tensors, get it again", what,
                         (int)(machine->at - machine->start));
}

static gboolean
truncated (Machine *machine)
{
  return broken (machine, "stops in the middle");
}

static gboolean
refuse_opcode (Machine *machine)
{
  return lb_input_error (machine->place, machine->error,
                         "has the pickle opcode 0x%02x at byte %d, which files of tensors do not need; save tensors in "
                         "lists, tuples and dictionaries alone, with torch.save",
                         machine->opcode, (int)(machine->at - machine->start) - 1);
}

static gboolean
refuse_name (Machine *machine, const char *name)
{
  g_autofree char *printable = lb_unpack_printable (name);
  char *space = strchr (printable, ' ');

  if (space)
    *space = '.';
  return lb_input_error (machine->place, machine->error,
                         "wants '%s', which is not one of the types that tensors are made of, and nothing in a file is "
                         "ever executed; save tensors in lists, tuples and dictionaries alone, with torch.save",
                         printable);
}

/* ---- Values and the stack ---- */

static LbPickleValue *
value_new (Machine *machine, LbPickleKind kind)
{
  LbPickleValue *value = g_new0 (LbPickleValue, 1);

  value->kind = kind;
  g_ptr_array_add (machine->values, value);
  return value;
}

static void
value_free (gpointer data)
{
  LbPickleValue *value = data;

  g_free (value->text);
  if (value->items)
    g_ptr_array_unref (value->items);
  g_free (value);
}

static LbPickleValue *
push (Machine *machine, LbPickleKind kind)
{
  LbPickleValue *value = value_new (machine, kind);

  g_ptr_array_add (machine->stack, value);
  return value;
}

static gboolean
push_integer (Machine *machine, gint64 integer)
{
  push (machine, LB_PICKLE_INTEGER)->integer = integer;
  return TRUE;
}

static gboolean
push_items (Machine *machine, LbPickleKind kind)
{
  push (machine, kind)->items = g_ptr_array_new ();
  return TRUE;
}

/* How many values lie above the last mark: all that an opcode may take. */
static guint
available (Machine *machine)
{
  guint below = machine->marks->len ? g_array_index (machine->marks, guint, machine->marks->len - 1) : 0;

  return machine->stack->len - below;
}

static LbPickleValue *
top (Machine *machine)
{
  return available (machine) ? g_ptr_array_index (machine->stack, machine->stack->len - 1) : NULL;
}

static LbPickleValue *
pop (Machine *machine)
{
  LbPickleValue *value = top (machine);

  if (value)
    g_ptr_array_set_size (machine->stack, (int)machine->stack->len - 1);
  return value;
}

/* Moves the last @n values to @to. */
static gboolean
move_values (Machine *machine, guint n, GPtrArray *to)
{
  if (available (machine) < n)
    return broken (machine, "takes more values than there are");
  for (guint i = machine->stack->len - n; i < machine->stack->len; i++)
    g_ptr_array_add (to, g_ptr_array_index (machine->stack, i));
  g_ptr_array_set_size (machine->stack, (int)(machine->stack->len - n));
  return TRUE;
}

/* Removes the last mark; *n is how many values lay above it. */
static gboolean
pop_mark (Machine *machine, guint *n)
{
  if (machine->marks->len == 0)
    return broken (machine, "has no mark");
  *n = available (machine);
  g_array_set_size (machine->marks, machine->marks->len - 1);
  return TRUE;
}

static gboolean
make_tuple (Machine *machine, guint n)
{
  g_autoptr (GPtrArray) items = g_ptr_array_new ();

  if (!move_values (machine, n, items))
    return FALSE;
  push (machine, LB_PICKLE_TUPLE)->items = g_steal_pointer (&items);
  return TRUE;
}

/* Puts the last @n values into the list or dictionary below them. */
static gboolean
put_into (Machine *machine, LbPickleKind kind, guint n)
{
  g_autoptr (GPtrArray) items = g_ptr_array_new ();
  LbPickleValue *target;

  if (!move_values (machine, n, items))
    return FALSE;
  target = top (machine);
  if (!target || target->kind != kind || (kind == LB_PICKLE_DICT && n % 2 != 0))
    return broken (machine, kind == LB_PICKLE_DICT ? "adds to no dictionary" : "adds to no list");
  g_ptr_array_extend_and_steal (target->items, g_steal_pointer (&items));
  return TRUE;
}

/* ---- Reading ---- */

static gboolean
take (Machine *machine, gsize n, const guint8 **bytes)
{
  if ((gsize)(machine->end - machine->at) < n)
    return truncated (machine);
  *bytes = machine->at;
  machine->at += n;
  return TRUE;
}

/* A little-endian number of @n bytes. */
static gboolean
take_number (Machine *machine, guint n, guint64 *number)
{
  const guint8 *bytes = NULL;

  if (!take (machine, n, &bytes))
    return FALSE;
  *number = 0;
  for (guint i = 0; i < n; i++)
    *number |= (guint64)bytes[i] << (8 * i);
  return TRUE;
}

static gboolean
read_integer (Machine *machine, guint n)
{
  guint64 number;

  return take_number (machine, n, &number) && push_integer (machine, n == 4 ? (gint32)(guint32)number : (gint64)number);
}

/* A signed number of up to 8 bytes, as long as the byte before it says. */
static gboolean
read_long (Machine *machine)
{
  guint64 length, number;

  if (!take_number (machine, 1, &length))
    return FALSE;
  if (length > 8)
    return broken (machine, "has a number of more than 64 bits");
  if (!take_number (machine, (guint)length, &number))
    return FALSE;
  if (length > 0 && length < 8 && number >> (8 * length - 1))
    number |= G_MAXUINT64 << (8 * length);
  return push_integer (machine, (gint64)number);
}

static gboolean
read_text (Machine *machine)
{
  guint64 length;
  const guint8 *bytes = NULL;

  if (!take_number (machine, 4, &length) || !take (machine, length, &bytes))
    return FALSE;
  /* Bytes of NumPy numbers are kept as texts; names have no NUL, which would cut them short. */
  if (memchr (bytes, 0, length))
    push (machine, LB_PICKLE_INERT);
  else if (g_utf8_validate ((const char *)bytes, (gssize)length, NULL))
    push (machine, LB_PICKLE_TEXT)->text = g_strndup ((const char *)bytes, length);
  else
    return broken (machine, "has a text that is not UTF-8");
  return TRUE;
}

static const LbPickleElement *
find_element (const char *name)
{
  if (!g_str_has_prefix (name, "torch "))
    return NULL;
  for (guint i = 0; i < G_N_ELEMENTS (elements); i++)
    if (g_str_equal (name + strlen ("torch "), elements[i].name))
      return &elements[i];
  return NULL;
}

/* Two lines: a module and a name in it. */
static gboolean
read_global (Machine *machine)
{
  const guint8 *line[2];
  gsize length[2];

  for (guint i = 0; i < 2; i++) {
    const guint8 *newline = memchr (machine->at, '\n', (gsize)(machine->end - machine->at));

    if (!newline)
      return truncated (machine);
    line[i] = machine->at;
    length[i] = (gsize)(newline - machine->at);
    machine->at = newline + 1;
  }
  g_autofree char *name
      = g_strdup_printf ("%.*s %.*s", (int)MIN (length[0], 200), line[0], (int)MIN (length[1], 200), line[1]);
  if (!g_strv_contains (names, name) && !find_element (name))
    return refuse_name (machine, name);
  LbPickleValue *value = push (machine, LB_PICKLE_GLOBAL);
  value->element = find_element (name);
  value->text = g_steal_pointer (&name);
  return TRUE;
}

/* ---- Storages and tensors ---- */

static LbPickleValue *
item (const LbPickleValue *value, guint index, LbPickleKind kind)
{
  LbPickleValue *found = index < value->items->len ? g_ptr_array_index (value->items, index) : NULL;

  return found && found->kind == kind ? found : NULL;
}

/* ('storage', type, key, device, number of elements) becomes a storage. The device is of no importance. */
static gboolean
read_storage (Machine *machine)
{
  LbPickleValue *id = pop (machine), *type, *key, *kind, *count;

  if (!id || id->kind != LB_PICKLE_TUPLE || id->items->len != 5 || !(kind = item (id, 0, LB_PICKLE_TEXT))
      || !g_str_equal (kind->text, "storage") || !(type = item (id, 1, LB_PICKLE_GLOBAL)) || !type->element
      || !(key = item (id, 2, LB_PICKLE_TEXT)) || !(count = item (id, 4, LB_PICKLE_INTEGER)) || count->integer < 0)
    return broken (machine, "refers to something that is no storage of a tensor");
  LbPickleValue *storage = push (machine, LB_PICKLE_STORAGE);
  storage->text = g_strdup (key->text);
  storage->element = type->element;
  storage->integer = count->integer;
  return TRUE;
}

/* Whether all elements of @tensor lie in its storage. */
static gboolean
lies_inside (const LbPickleValue *tensor)
{
  gint64 last = tensor->offset;
  gsize bytes;

  if (!lb_shape_bytes (tensor->shape, LB_F64, &bytes))
    return FALSE;
  for (guint i = 0; i < tensor->shape.rank; i++) {
    gint64 reach;

    if (tensor->stride[i] < 0 || __builtin_mul_overflow (MAX (tensor->shape.dim[i] - 1, 0), tensor->stride[i], &reach)
        || __builtin_add_overflow (last, reach, &last))
      return FALSE;
  }
  return tensor->offset >= 0 && (lb_shape_size (tensor->shape) == 0 || last < tensor->storage->integer);
}

/* _rebuild_tensor_v2 (storage, offset, sizes, strides, requires_grad, hooks, ...) */
static gboolean
make_tensor (Machine *machine, const LbPickleValue *arguments)
{
  LbPickleValue *storage = item (arguments, 0, LB_PICKLE_STORAGE), *offset = item (arguments, 1, LB_PICKLE_INTEGER);
  LbPickleValue *sizes = item (arguments, 2, LB_PICKLE_TUPLE), *strides = item (arguments, 3, LB_PICKLE_TUPLE);
  LbPickleValue *tensor = push (machine, LB_PICKLE_TENSOR);

  if (!storage || !offset || !sizes || !strides || sizes->items->len != strides->items->len)
    return broken (machine, "has a tensor without storage, sizes or strides");
  if (sizes->items->len > LB_MAX_RANK)
    return lb_input_error (machine->place, machine->error,
                           "has a tensor of %u dimensions, where at most %d were expected; reshape it",
                           sizes->items->len, LB_MAX_RANK);
  tensor->storage = storage;
  tensor->offset = offset->integer;
  tensor->shape.rank = sizes->items->len;
  for (guint i = 0; i < sizes->items->len; i++) {
    LbPickleValue *size = item (sizes, i, LB_PICKLE_INTEGER), *stride = item (strides, i, LB_PICKLE_INTEGER);

    if (!size || !stride || size->integer < 0)
      return broken (machine, "has a tensor whose sizes are no numbers");
    tensor->shape.dim[i] = size->integer;
    tensor->stride[i] = stride->integer;
  }
  return lies_inside (tensor) || broken (machine, "has a tensor that reaches beyond its storage");
}

/* What "call this name with these arguments" stands for. */
static gboolean
reduce (Machine *machine)
{
  LbPickleValue *arguments = pop (machine), *callee = pop (machine), *inner;

  if (!arguments || !callee || arguments->kind != LB_PICKLE_TUPLE || callee->kind != LB_PICKLE_GLOBAL)
    return broken (machine, "calls something that is no name");
  if (g_str_equal (callee->text, TENSOR))
    return make_tensor (machine, arguments);
  if (g_str_equal (callee->text, PARAMETER)) {
    if (!(inner = item (arguments, 0, LB_PICKLE_TENSOR)))
      return broken (machine, "has a parameter without a tensor");
    g_ptr_array_add (machine->stack, inner);
    return TRUE;
  }
  if (g_str_equal (callee->text, ORDERED))
    return arguments->items->len == 0 ? push_items (machine, LB_PICKLE_DICT)
                                      : broken (machine, "makes an ordered dictionary from something");
  if (callee->element)
    return broken (machine, "makes a storage by hand");
  push (machine, LB_PICKLE_INERT);
  return TRUE;
}

/* Attributes of an object: those of dictionaries and NumPy types say nothing about tensors. */
static gboolean
build (Machine *machine)
{
  LbPickleValue *state = pop (machine), *object = top (machine);

  if (!state || !object || (object->kind != LB_PICKLE_DICT && object->kind != LB_PICKLE_INERT))
    return broken (machine, "gives attributes to something that has none");
  return TRUE;
}

/* ---- The machine ---- */

static gboolean
memorise (Machine *machine, guint bytes)
{
  guint64 number;

  if (!take_number (machine, bytes, &number))
    return FALSE;
  if (!top (machine))
    return broken (machine, "keeps a value that is not there");
  g_hash_table_insert (machine->memo, GUINT_TO_POINTER ((guint)number), top (machine));
  return TRUE;
}

static gboolean
recall (Machine *machine, guint bytes)
{
  guint64 number;

  if (!take_number (machine, bytes, &number))
    return FALSE;
  LbPickleValue *value = g_hash_table_lookup (machine->memo, GUINT_TO_POINTER ((guint)number));
  if (!value)
    return broken (machine, "asks for a value that was not kept");
  g_ptr_array_add (machine->stack, value);
  return TRUE;
}

static gboolean
stop (Machine *machine)
{
  if (machine->marks->len || machine->stack->len != 1)
    return broken (machine, "ends with more or fewer values than one");
  if (machine->at != machine->end)
    return broken (machine, "goes on after its end");
  machine->result = pop (machine);
  return TRUE;
}

/* Opcodes that take everything above the last mark. */
static gboolean
step_with_mark (Machine *machine)
{
  guint n = 0;

  if (!pop_mark (machine, &n))
    return FALSE;
  switch (machine->opcode) {
  case 't':
    return make_tuple (machine, n);
  case 'e':
    return put_into (machine, LB_PICKLE_LIST, n);
  default:
    return put_into (machine, LB_PICKLE_DICT, n);
  }
}

static gboolean
step (Machine *machine)
{
  const guint8 *bytes = NULL;

  switch (machine->opcode) {
  case '.':
    return stop (machine);
  case '(':
    g_array_append_val (machine->marks, machine->stack->len);
    return TRUE;
  case 't': /* TUPLE */
  case 'e': /* APPENDS */
  case 'u': /* SETITEMS */
    return step_with_mark (machine);
  case 'a': /* APPEND */
    return put_into (machine, LB_PICKLE_LIST, 1);
  case 's': /* SETITEM */
    return put_into (machine, LB_PICKLE_DICT, 2);
  case ')':
    return make_tuple (machine, 0);
  case 0x85:
  case 0x86:
  case 0x87:
    return make_tuple (machine, machine->opcode - 0x84u);
  case ']':
    return push_items (machine, LB_PICKLE_LIST);
  case '}':
    return push_items (machine, LB_PICKLE_DICT);
  case 'N':
    push (machine, LB_PICKLE_NONE);
    return TRUE;
  case 0x88: /* NEWTRUE */
  case 0x89: /* NEWFALSE */
    push (machine, LB_PICKLE_BOOLEAN)->integer = machine->opcode == 0x88;
    return TRUE;
  case 'J': /* BININT */
    return read_integer (machine, 4);
  case 'K': /* BININT1 */
    return read_integer (machine, 1);
  case 'M': /* BININT2 */
    return read_integer (machine, 2);
  case 0x8a: /* LONG1 */
    return read_long (machine);
  case 'G': /* BINFLOAT */
    push (machine, LB_PICKLE_FLOAT);
    return take (machine, 8, &bytes);
  case 'X': /* BINUNICODE */
    return read_text (machine);
  case 'c':
    return read_global (machine);
  case 'q': /* BINPUT */
  case 'r': /* LONG_BINPUT */
    return memorise (machine, machine->opcode == 'q' ? 1 : 4);
  case 'h': /* BINGET */
  case 'j': /* LONG_BINGET */
    return recall (machine, machine->opcode == 'h' ? 1 : 4);
  case 'Q': /* BINPERSID */
    return read_storage (machine);
  case 'R':
    return reduce (machine);
  case 'b':
    return build (machine);
  default:
    return refuse_opcode (machine);
  }
}

static gboolean
run (Machine *machine)
{
  const guint8 *bytes = NULL;

  if (!take (machine, 2, &bytes))
    return FALSE;
  if (bytes[0] != 0x80)
    return broken (machine, "begins as no pickle does");
  if (bytes[1] != 2)
    return lb_input_error (machine->place, machine->error,
                           "is pickled with protocol %u, where 2 was expected; save it again with torch.save and "
                           "without pickle_protocol",
                           bytes[1]);
  while (!machine->result) {
    if (!take (machine, 1, &bytes))
      return FALSE;
    machine->opcode = bytes[0];
    if (!step (machine))
      return FALSE;
  }
  return TRUE;
}

LbPickle *
lb_pickle_parse (const char *place, const guint8 *data, gsize length, GError **error)
{
  Machine machine = { .place = place, .start = data, .at = data, .end = data + length, .error = error };
  g_autoptr (LbPickle) pickle = g_new0 (LbPickle, 1);
  gboolean good;

  machine.values = pickle->values = g_ptr_array_new_with_free_func (value_free);
  machine.stack = g_ptr_array_new ();
  machine.marks = g_array_new (FALSE, FALSE, sizeof (guint));
  machine.memo = g_hash_table_new (NULL, NULL);
  good = run (&machine);
  pickle->top = machine.result;
  g_hash_table_unref (machine.memo);
  g_array_unref (machine.marks);
  g_ptr_array_unref (machine.stack);
  return good ? g_steal_pointer (&pickle) : NULL;
}

void
lb_pickle_free (LbPickle *pickle)
{
  if (!pickle)
    return;
  g_ptr_array_unref (pickle->values);
  g_free (pickle);
}
