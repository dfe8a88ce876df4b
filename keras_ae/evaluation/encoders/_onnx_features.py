"""Axis of the features in tensors of ONNX files, from the operators that they come from."""

from typing import Any

FIRST, LAST = "first", "last"  # axis 1, or the last axis

# operators whose channels are on axis 1, in maps and in frames
CHANNELS_FIRST = ("Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "FusedConv")
CHANNELS_FIRST += ("BatchNormalization", "InstanceNormalization", "GroupNormalization", "LRN")
CHANNELS_FIRST += (
    "MaxPool",
    "AveragePool",
    "LpPool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Resize",
    "Upsample",
)

# operators behind which the axes of their input are others
OTHER_AXES = ("Reshape", "Flatten", "Unsqueeze", "Expand", "Einsum", "Gemm", "OneHot", "TopK", "NonZero")
OTHER_AXES += (
    "MatMul",
    "Gather",
    "GatherElements",
    "GatherND",
    "ScatterND",
    "LSTM",
    "GRU",
    "RNN",
    "If",
    "Loop",
    "Scan",
)

# transpositions that are written for one purpose: between the layouts of two tools
USUAL = {(0, 2, 3, 1): LAST, (0, 3, 1, 2): FIRST, (0, 2, 1): LAST}


def makers(graph: Any) -> dict:
    """Return `{name of an inner tensor or output: the node that computes it}`."""
    return {made: node for node in graph.node if node.op_type != "Constant" for made in node.output if made}


def features_axis(graph: Any, name: str) -> str | None:
    """Return the axis of a tensor with the features, from the nearest operator that defines one.

    Args:
        graph: `onnx.GraphProto`.
        name: an output or inner tensor.

    Returns:
        "first" for axis 1, as behind a convolution; "last", as behind a product with a matrix or a
        transposition; `None`: the operators do not show it.
    """
    nodes, orders, found = makers(graph), [], None
    constants = {one.name for one in graph.initializer}
    constants |= {one for node in graph.node if node.op_type == "Constant" for one in node.output}
    while name in nodes:
        node = nodes[name]
        inner = [one for one in node.input if one in nodes]
        if node.op_type == "Transpose":
            orders.append(next((tuple(one.ints) for one in node.attribute if one.name == "perm"), ()))
        elif node.op_type in CHANNELS_FIRST:
            found = FIRST
        elif node.op_type == "LayerNormalization" or (
            node.op_type == "MatMul" and node.input[0] not in constants
        ):
            found = LAST
        if found or not inner or node.op_type in OTHER_AXES or node.op_type.startswith("Reduce"):
            break
        name = inner[0]
    for order in reversed(orders):
        found = _moved(found, order)
    return found


def _moved(axis, order):
    """Return the axis of the features behind a transposition of an axis, which may be unknown."""
    if axis is None or len(order) < 3:
        return USUAL.get(order)
    place = order.index(1 if axis == FIRST else len(order) - 1)
    return {len(order) - 1: LAST, 1: FIRST}.get(place)
