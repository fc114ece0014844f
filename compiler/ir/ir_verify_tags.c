// The verifier's proof that every `data.get` finds the constructor that it names. A value's slots are read
// without a look at its tag, so a wrong one would take a pointer for a number or read past the value's end.
//
// A value is known to have a constructor
//   where it was made (`data.new`);
//   in all basic blocks that can be reached only by the edges that a `switch` on its tag takes for it. The last
//   target stands for every constructor that has none of its own, so it tells one only when one is left.
// A slot that all constructors have, with one type, needs no proof: values are laid out alike.
//
// One walk over the dominator tree keeps what is known on the way, so that the work is linear.
#include "compiler/ir/ir_verifier.h"

// --------------------------------------------------------------------------------------- slots of a data type

struct ir_verify_slots {
  uint32_t *n;                    // [constructor]
  const struct ir_type ***types;  // [constructor][slot]
  uint32_t n_alike;               // length of the next
  bool *alike;                    // [slot] all constructors have it, with one type
};

static void find_alike(struct ir_verifier *v, const struct ir_data *data, struct ir_verify_slots *slots) {
  slots->n_alike = slots->n[0];
  for (uint32_t c = 1; c < data->n_constructors; c++)
    slots->n_alike = slots->n[c] < slots->n_alike ? slots->n[c] : slots->n_alike;
  slots->alike = arena_new_array(&v->arena, bool, slots->n_alike);
  for (uint32_t s = 0; s < slots->n_alike; s++) {
    slots->alike[s] = true;
    for (uint32_t c = 1; c < data->n_constructors && slots->alike[s]; c++)
      slots->alike[s] = ir_verify_agree(v, slots->types[0][s], slots->types[c][s]);
  }
}

// Found once for a data type.
static const struct ir_verify_slots *slots_of(struct ir_verifier *v, uint32_t number) {
  if (!v->slots)
    v->slots = arena_new_array(&v->arena, struct ir_verify_slots *, v->module->n_datas);
  if (v->slots[number])
    return v->slots[number];
  const struct ir_data *data = v->module->datas[number];
  struct ir_verify_slots *slots = v->slots[number] = arena_new(&v->arena, struct ir_verify_slots);
  slots->n = arena_new_array(&v->arena, uint32_t, data->n_constructors);
  slots->types = arena_new_array(&v->arena, const struct ir_type **, data->n_constructors);
  for (uint32_t c = 0; c < data->n_constructors; c++) {
    const struct ir_constructor *constructor = &data->constructors[c];
    const struct ir_type *fields = ir_type_tuple(&v->scratch, NULL, constructor->n_fields,
                                                 constructor->fields);
    slots->n[c] = ir_type_width(fields);
    slots->types[c] = arena_new_array(&v->arena, const struct ir_type *, slots->n[c]);
    ir_type_flatten(fields, slots->types[c]);
  }
  find_alike(v, data, slots);
  return slots;
}

const struct ir_type *const *ir_verify_slots(struct ir_verifier *v, uint32_t data, uint32_t constructor,
                                             uint32_t *n) {
  const struct ir_verify_slots *slots = slots_of(v, data);
  *n = slots->n[constructor];
  return slots->types[constructor];
}

// ------------------------------------------------------------------------------------------- what edges tell

// What all edges into a basic block say alike.
struct entry_fact {
  const struct ir_value *value;  // NULL: no edge yet
  uint32_t constructor;
  bool nothing;  // two edges differ, or one says nothing
};

// The value whose tag a terminator looks at, or NULL.
static const struct ir_value *tagged_value(const struct ir_instr *end) {
  if (end->op != IR_SWITCH)
    return NULL;
  const struct ir_instr *made = end->operands[0]->def;
  return made && made->op == IR_DATA_TAG ? made->operands[0] : NULL;
}

static void note_edge(struct entry_fact *fact, const struct ir_value *value, uint32_t constructor) {
  if (!value || (fact->value && (fact->value != value || fact->constructor != constructor)))
    fact->nothing = true;
  fact->value = value;
  fact->constructor = constructor;
}

// [position in the tree]
static struct entry_fact *find_facts(struct ir_verifier *v, const struct ir_verify_tree *tree) {
  struct entry_fact *facts = arena_new_array(&v->body_arena, struct entry_fact, tree->n);
  for (uint32_t i = 0; i < tree->n; i++) {
    const struct ir_instr *end = tree->bbs[i]->last;
    const struct ir_value *value = tagged_value(end);
    uint32_t n = value ? v->module->datas[value->type->data]->n_constructors : 0;
    for (uint32_t t = 0; t < end->n_targets; t++) {
      bool last = t + 1 == end->n_targets;
      // no value takes this edge
      if (value && t >= n)
        continue;
      note_edge(&facts[tree->position[end->targets[t].bb->id]], last && t + 1 < n ? NULL : value, t);
    }
  }
  return facts;
}

// -------------------------------------------------------------------------------------------------- the walk

struct known {
  uint32_t value, before;  // what was known of it before: constructor + 1, 0: nothing
  uint32_t end;            // last position in the tree where this holds
};

static bool check_get(struct ir_verifier *v, const struct ir_instr *get, const uint32_t *constructor_of) {
  const struct ir_value *value = get->operands[0];
  const struct ir_instr *made = value->def;
  if ((made && made->op == IR_DATA_NEW && made->constructor == get->constructor) ||
      constructor_of[value->id] == get->constructor + 1)
    return true;
  const struct ir_verify_slots *slots = slots_of(v, value->type->data);
  if (get->integer < slots->n_alike && slots->alike[get->integer])
    return true;
  v->instr = get;
  return ir_verify_fail(v, "no branch on the tag of %%%u shows that it is a %s", value->id,
                        v->module->datas[value->type->data]->constructors[get->constructor].name);
}

bool ir_verify_tags(struct ir_verifier *v, const struct ir_verify_tree *tree, uint32_t n_values) {
  const struct entry_fact *facts = find_facts(v, tree);
  uint32_t *constructor_of = arena_new_array(&v->body_arena, uint32_t, n_values);
  struct known *stack = arena_new_array(&v->body_arena, struct known, tree->n);
  uint32_t depth = 0;
  for (uint32_t i = 0; i < tree->n; i++) {
    for (; depth > 0 && stack[depth - 1].end < i; depth--)
      constructor_of[stack[depth - 1].value] = stack[depth - 1].before;
    const struct entry_fact *fact = &facts[i];
    if (fact->value && !fact->nothing) {
      uint32_t id = fact->value->id;
      stack[depth++] = (struct known){id, constructor_of[id], i + tree->size[i] - 1};
      constructor_of[id] = fact->constructor + 1;
    }
    for (const struct ir_instr *instr = tree->bbs[i]->first; instr; instr = instr->next)
      if (instr->op == IR_DATA_GET && !check_get(v, instr, constructor_of))
        return false;
  }
  return true;
}
