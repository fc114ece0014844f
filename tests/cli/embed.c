// A program of a user's own: predicts every example of a data set with a trained model, one JSON value a line.
//   embed MODEL.nnb WEIGHTS.safetensors DATA
#include <nn.h>

#include <stdio.h>
#include <stdlib.h>

static void check(nn_status *status) {
  if (!status)
    return;
  fprintf(stderr, "embed: %s\n", nn_status_message(status));
  nn_status_free(status);
  exit(1);
}

static void predict(nn_session *session, size_t entry, const nn_dataset *data) {
  for (size_t i = 0; i < nn_dataset_size(data); i++) {
    check(nn_session_run(session, entry, data, &i, 1, NN_INFER));
    char *json = nn_session_json(session, 0);
    puts(json ? json : nn_session_error(session, 0));
    free(json);
  }
}

int main(int argc, char **argv) {
  if (argc != 4)
    return 2;
  nn_model *model = NULL;
  nn_session *session = NULL;
  nn_dataset *data = NULL;
  const nn_options options = nn_options_default();
  const nn_data_options format = {0};
  size_t entry;
  check(nn_model_open(argv[1], &model));
  check(nn_model_load_metadata(model, argv[2]));
  check(nn_model_bind(model, &options));
  check(nn_model_load_weights(model, argv[2]));
  if (!nn_model_find_entry(model, "predict", &entry))
    return 1;
  check(nn_dataset_load(model, argv[3], &entry, 1, &format, &data));
  check(nn_session_new(model, &session));
  predict(session, entry, data);
  nn_session_free(session);
  nn_dataset_free(data);
  nn_model_free(model);
  return 0;
}
