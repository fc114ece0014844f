// `==` of values with parts. Lists and data are compared by functions of their own, one for each type: data may contain
// itself. What costs is what is looked at: the comparison ends at the first part that differs.
#include "compiler/lower/lower_internal.h"

static struct ir_value *one_result(struct lower *lower, struct ssa *ssa, struct ssa_label *end) {
  const struct ir_type *type = ir_type_simple(lower->module, IR_BOOL);
  return ssa_enter(ssa, end, 1, &type).items[0];
}

static void jump_with(struct lower *lower, struct ssa *ssa, struct ssa_label *end, struct ir_value *value) {
  struct ir_value **items = arena_new_array(lower->arena, struct ir_value *, 1);
  items[0] = value;
  ssa_jump(ssa, end, (struct ssa_values){1, items});
}

static bool is_wanted(const void *context, uint32_t item) {
  const struct lower *lower = ((const void *const *)context)[0];
  return ir_type_equal(lower->equalities.items[item].type, ((const void *const *)context)[1]);
}

static struct ir_function *function_for(struct lower *lower, const struct ssa *ssa,
                                        const struct ir_type *type) {
  struct ir_module *module = lower->module;
  uint64_t hash = lower_hash_type(0, type);
  uint32_t found = hash_index_find(&lower->equality_index, hash, is_wanted, (const void *[]){lower, type});
  if (found != HASH_INDEX_NONE)
    return lower->equalities.items[found].function;
  const char *name = arena_printf(lower->arena, "equal %s", ir_type_text(module, lower->arena, type));
  struct ir_function *function = ir_add_function(module, name);
  ir_add_function_param(module, function, type);
  ir_add_function_param(module, function, type);
  function->n_results = 1;
  function->results = arena_new_array(module->arena, const struct ir_type *, 1);
  function->results[0] = ir_type_simple(module, IR_BOOL);
  hash_index_add(&lower->equality_index, hash, (uint32_t)lower->equalities.count);
  arena_push(lower->arena, &lower->equalities, ((struct lower_equality){type, function, ssa->build.loc}));
  return function;
}

static struct ir_value *equal_slots(struct lower *lower, struct ssa *ssa, const struct ir_type *type,
                                    struct ir_value *a, struct ir_value *b) {
  if (type->kind == IR_FLOAT)
    return ir_build_host2(&ssa->build, IR_FEQ, a, b);
  if (type->kind == IR_TEXT)
    return ir_build_host2(&ssa->build, IR_TEXT_EQ, a, b);
  if (type->kind != IR_LIST && type->kind != IR_DATA)
    return ir_build_host2(&ssa->build, IR_IEQ, a, b);
  const struct ir_function *function = function_for(lower, ssa, type);
  return ir_build_call(&ssa->build, function->id, 2, (struct ir_value *[]){a, b})->results[0];
}

// Goes on where all of them are equal, and to `differs` at the first that are not.
static void require_equal(struct lower *lower, struct ssa *ssa, uint32_t n,
                          const struct ir_type *const *types, struct ir_value *const *a,
                          struct ir_value *const *b, struct ssa_label *differs) {
  for (uint32_t i = 0; i < n; i++) {
    struct ssa_label *equal = ssa_label(ssa);
    ssa_branch(ssa, equal_slots(lower, ssa, types[i], a[i], b[i]), equal, differs);
    ssa_enter(ssa, equal, 0, NULL);
  }
}

struct ir_value *lower_equal(struct lower *lower, struct ssa *ssa, const struct ir_type *type,
                             struct ir_value *const *a, struct ir_value *const *b) {
  uint32_t n = ir_type_width(type);
  const struct ir_type **types = lower_flatten(lower, type);
  if (n == 0)
    return ir_build_bool(&ssa->build, true);
  if (n == 1)
    return equal_slots(lower, ssa, types[0], a[0], b[0]);
  struct ssa_label *differs = ssa_label(ssa), *end = ssa_label(ssa);
  require_equal(lower, ssa, n, types, a, b, differs);
  jump_with(lower, ssa, end, ir_build_bool(&ssa->build, true));
  ssa_enter(ssa, differs, 0, NULL);
  jump_with(lower, ssa, end, ir_build_bool(&ssa->build, false));
  return one_result(lower, ssa, end);
}

// ---- The functions -------------------------------------------------------------------------------------

static void compare_lists(struct lower *lower, struct ssa *ssa, const struct lower_equality *equality,
                          struct ssa_label *equal, struct ssa_label *differs) {
  struct ir_builder *build = &ssa->build;
  struct ir_value *a = equality->function->params[0], *b = equality->function->params[1];
  const struct ir_type *element = equality->type->element;
  struct ir_value *length = ir_build_host1(build, IR_LIST_LEN, a);
  struct ssa_label *alike = ssa_label(ssa), *body = ssa_label(ssa);
  ssa_branch(ssa, ir_build_host2(build, IR_IEQ, length, ir_build_host1(build, IR_LIST_LEN, b)), alike,
             differs);
  ssa_enter(ssa, alike, 0, NULL);
  struct ir_value **zero = arena_new_array(lower->arena, struct ir_value *, 1);
  zero[0] = ir_build_int(build, 0);
  struct ssa_values i;
  struct ssa_label *head = ssa_enter_loop(ssa, (struct ssa_values){1, zero}, (struct ssa_slots){0}, &i);
  ssa_branch(ssa, ir_build_host2(build, IR_ILT, i.items[0], length), body, equal);
  ssa_enter(ssa, body, 0, NULL);
  const struct ir_instr *x = ir_build_list_get(build, a, i.items[0]);
  const struct ir_instr *y = ir_build_list_get(build, b, i.items[0]);
  require_equal(lower, ssa, x->n_results, lower_flatten(lower, element), x->results, y->results, differs);
  jump_with(lower, ssa, head, ir_build_host2(build, IR_IADD, i.items[0], ir_build_int(build, 1)));
}

// Goes on where the value has the constructor.
static void require_constructor(struct lower *lower, struct ssa *ssa, struct ir_value *data,
                                uint32_t constructor, uint32_t n_constructors, struct ssa_label *differs) {
  struct ssa_label **cases = arena_new_array(lower->arena, struct ssa_label *, constructor + 2);
  struct ssa_label *alike = ssa_label(ssa);
  for (uint32_t c = 0; c < constructor + 2; c++)
    cases[c] = c == constructor ? alike : differs;
  bool is_last = constructor + 1 == n_constructors;
  ssa_switch(ssa, ir_build_data_tag(&ssa->build, data), constructor + (is_last ? 1 : 2), cases);
  ssa_enter(ssa, alike, 0, NULL);
}

static void compare_data(struct lower *lower, struct ssa *ssa, const struct lower_equality *equality,
                         struct ssa_label *equal, struct ssa_label *differs) {
  struct ir_builder *build = &ssa->build;
  struct ir_value *a = equality->function->params[0], *b = equality->function->params[1];
  uint32_t data = equality->type->data, n = lower->module->datas[data]->n_constructors;
  struct ssa_label **cases = arena_new_array(lower->arena, struct ssa_label *, n);
  for (uint32_t c = 0; c < n; c++)
    cases[c] = ssa_label(ssa);
  ssa_switch(ssa, ir_build_data_tag(build, a), n, cases);
  for (uint32_t c = 0; c < n; c++) {
    ssa_enter(ssa, cases[c], 0, NULL);
    require_constructor(lower, ssa, b, c, n, differs);
    const struct ir_type *type;
    for (uint32_t slot = 0; (type = ir_constructor_slot(lower->module, data, c, slot)); slot++) {
      struct ir_value *x = ir_build_data_get(build, a, c, slot), *y = ir_build_data_get(build, b, c, slot);
      require_equal(lower, ssa, 1, &type, &x, &y, differs);
    }
    ssa_jump(ssa, equal, LOWER_NONE);
  }
}

static void return_bool(struct lower *lower, struct ssa *ssa, struct ssa_label *label, bool value) {
  ssa_enter(ssa, label, 0, NULL);
  struct ir_value **items = arena_new_array(lower->arena, struct ir_value *, 1);
  items[0] = ir_build_bool(&ssa->build, value);
  ssa_return(ssa, (struct ssa_values){1, items});
}

void lower_equal_bodies(struct lower *lower) {
  for (; lower->n_equal_bodies < lower->equalities.count; lower->n_equal_bodies++) {
    const struct lower_equality equality = lower->equalities.items[lower->n_equal_bodies];
    struct ssa ssa;
    ssa_init(&ssa, lower->arena, lower->module, equality.function);
    ssa.build.loc = equality.loc;
    struct ssa_label *equal = ssa_label(&ssa), *differs = ssa_label(&ssa);
    if (equality.type->kind == IR_LIST)
      compare_lists(lower, &ssa, &equality, equal, differs);
    else
      compare_data(lower, &ssa, &equality, equal, differs);
    return_bool(lower, &ssa, equal, true);
    return_bool(lower, &ssa, differs, false);
    ssa_finish(&ssa);
  }
}
