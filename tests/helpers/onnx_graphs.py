"""ONNX files of a few operators, as other tools write them."""

import numpy as np
import pytest


def save_onnx(path, nodes, inputs, outputs, constants):
    """Write a graph.

    Args:
        path: the file.
        nodes: `(operator, inputs, outputs, attributes)` each.
        inputs, outputs: `{name: (dtype, shape)}`.
        constants: `{name: array}`.
    """
    onnx = pytest.importorskip("onnx", exc_type=Exception)
    helper = onnx.helper

    def value(name, dtype, shape):
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)

    graph = helper.make_graph(
        [helper.make_node(kind, given, made, **attributes) for kind, given, made, attributes in nodes],
        "graph",
        [value(name, *spec) for name, spec in inputs.items()],
        [value(name, *spec) for name, spec in outputs.items()],
        [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path
