/* Runs one signature of a SavedModel through TensorFlow's C API, without Python.
 *
 * serve DIRECTORY INPUT OUTPUT INDEX RANK SIZE...
 *
 * INPUT and OUTPUT are operations of the graph, INDEX counts the outputs of OUTPUT.
 * The input's floats come on the standard input, the output's floats go to the
 * standard output, one in a line.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tensorflow/c/c_api.h"

static void check(const TF_Status* status, const char* step) {
  if (TF_GetCode(status) == TF_OK) return;
  fprintf(stderr, "%s: %s\n", step, TF_Message(status));
  exit(1);
}

static TF_Output find(TF_Graph* graph, const char* name, int index) {
  TF_Output output = {TF_GraphOperationByName(graph, name), index};
  if (output.oper != NULL) return output;
  fprintf(stderr, "the graph has no operation %s\n", name);
  exit(1);
}

static TF_Tensor* read_input(int rank, char** sizes) {
  int64_t shape[8], count = 1;
  for (int axis = 0; axis < rank; ++axis) count *= shape[axis] = atoll(sizes[axis]);
  TF_Tensor* tensor = TF_AllocateTensor(TF_FLOAT, shape, rank, count * sizeof(float));
  float* values = TF_TensorData(tensor);
  for (int64_t i = 0; i < count; ++i)
    if (scanf("%f", &values[i]) != 1) exit(2);
  return tensor;
}

int main(int argc, char** argv) {
  if (argc < 7 || atoi(argv[5]) > 8 || argc != 6 + atoi(argv[5])) return 2;
  const char* tags[] = {"serve"};
  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  TF_SessionOptions* options = TF_NewSessionOptions();
  TF_Session* session = TF_LoadSessionFromSavedModel(options, NULL, argv[1], tags, 1, graph, NULL, status);
  check(status, "load");

  TF_Output input = find(graph, argv[2], 0), output = find(graph, argv[3], atoi(argv[4]));
  TF_Tensor* given = read_input(atoi(argv[5]), argv + 6);
  TF_Tensor* result = NULL;
  TF_SessionRun(session, NULL, &input, &given, 1, &output, &result, 1, NULL, 0, NULL, status);
  check(status, "run");

  const float* values = TF_TensorData(result);
  for (size_t i = 0; i < TF_TensorByteSize(result) / sizeof(float); ++i) printf("%.9g\n", values[i]);

  TF_DeleteTensor(given);
  TF_DeleteTensor(result);
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
