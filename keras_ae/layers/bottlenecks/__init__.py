"""Bottlenecks: vector, finite scalar and lookup-free quantisation, one-hot, binary and Gaussian codes."""
