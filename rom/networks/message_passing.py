"""Layer of graph networks, made with PyTorch Geometric. Only `rom/networks/graph.py` imports it, when it builds a network.

One sparse product sums the messages of a whole batch. This is the fused path of PyTorch Geometric (Fey & Lenssen 2019,
arXiv:1903.02428), with derivatives along tangents, which it lacks. Gathering and scattering messages takes many times as
long on the CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from rom.networks.mlp import uniform_

__all__ = ["DirectionalConv"]


class DirectionalConv(MessagePassing):
    """Graph convolution x_i' = W_0 x_i + sum_k W_k sum_j a_k(i, j) x_j + b, with j the neighbours of i.

    It takes features (N, B, n_in) at N nodes to (N, B, n_out). Unlike the graph convolution of Morris et al. (2019, AAAI),
    it has several weights a_k for each edge: 1 and the components of the distance. It therefore distinguishes directions,
    and can represent gradients of a field.

    Parameters
    ----------
    n_in, n_out : int
        Numbers of features at a node.
    indices : torch.Tensor of int, shape (2, nnz)
        Rows and columns of the entries of the matrix (a_1, ..., a_K), (N, K N), sorted.
    values : torch.Tensor, shape (nnz,)
        Entries of the matrix.
    n_moments : int
        Number K of weights of an edge.
    generator : torch.Generator or None
        Source of the initial weights; None: that of torch.
    """

    indices: Tensor
    values: Tensor
    indices_transposed: Tensor
    values_transposed: Tensor

    def __init__(
        self,
        n_in: int,
        n_out: int,
        indices: Tensor,
        values: Tensor,
        n_moments: int,
        generator: torch.Generator | None,
    ):
        super().__init__(aggr="sum", node_dim=0)
        self.n_moments = n_moments
        self.root = nn.Parameter(torch.empty(n_in, n_out))
        self.weight = nn.Parameter(torch.empty(n_moments, n_in, n_out))
        self.bias = nn.Parameter(torch.empty(n_out))
        uniform_(self, n_in * (1 + n_moments), generator)
        order = torch.argsort(indices[1], stable=True)
        for name, tensor in {
            "indices": indices,
            "values": values,
            "indices_transposed": indices[:, order].flip(0),
            "values_transposed": values[order],
        }.items():
            self.register_buffer(name, tensor, persistent=False)  # made from the edges again; in float64 until used

    def forward(self, features: Tensor) -> Tensor:
        """Return features (N, B, n_out) of features (N, B, n_in)."""
        n, batch, width = len(features), features.shape[1], self.root.shape[1]
        sent = (features.reshape(1, n * batch, -1) @ self.weight).reshape(self.n_moments * n, batch * width)
        operator = self._operator(n, features.dtype)
        received = self.propagate(
            operator.matrix, x=(sent, None), edge_weight=self.values.to(features.dtype), operator=operator
        )
        return received.reshape(n, batch, width) + features @ self.root + self.bias

    # PyTorch Geometric passes the arguments of both methods by their names.
    def message(self, x_j: Tensor, edge_weight: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the messages along the edges, which `message_and_aggregate` forms and sums in one product."""
        return edge_weight[:, None] * x_j

    def message_and_aggregate(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        adj_t: Tensor,  # noqa: ARG002
        x: Any,
        operator: Operator,
    ) -> Tensor:
        """Return the sums of the messages at the nodes."""
        return SparseProduct.apply(operator, x[0])  # type: ignore[return-value]

    def _operator(self, n: int, dtype: torch.dtype) -> Operator:
        sizes = (n, self.n_moments * n)
        return Operator(
            sorted_matrix(self.indices, self.values.to(dtype), sizes),
            sorted_matrix(self.indices_transposed, self.values_transposed.to(dtype), sizes[::-1]),
        )


def sorted_matrix(indices: Tensor, values: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Return the sparse matrix of sorted indices (2, nnz) and values (nnz,), without a copy."""
    return torch.sparse_coo_tensor(indices, values, sizes, check_invariants=False, is_coalesced=True)


@dataclass(frozen=True, eq=False)
class Operator:
    """Constant sparse matrix and its transpose."""

    matrix: Tensor
    transposed: Tensor

    @property
    def adjoint(self) -> Operator:
        """The transposed operator."""
        return Operator(self.transposed, self.matrix)


class SparseProduct(torch.autograd.Function):
    """Product of a sparse matrix and a dense one, with derivatives of any order in both modes, and with vmap.

    Torch has no derivatives of it along tangents.
    """

    @staticmethod
    def forward(operator: Operator, x: Tensor) -> Tensor:
        """Return the product."""
        return operator.matrix @ x

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Operator, Tensor], output: Tensor) -> None:  # noqa: ARG004
        """Keep the operator for derivatives."""
        ctx.operator = inputs[0]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Any]:  # type: ignore[override]
        """Return the gradient with respect to the dense matrix."""
        return None, SparseProduct.apply(ctx.operator.adjoint, gradient)

    @staticmethod
    def jvp(ctx: Any, _: None, tangent: Tensor) -> Any:  # type: ignore[override]
        """Return the derivative along a tangent of the dense matrix."""
        return SparseProduct.apply(ctx.operator, tangent)

    @staticmethod
    def vmap(_info: Any, in_dims: tuple[None, int], operator: Operator, x: Tensor) -> tuple[Tensor, int]:  # type: ignore[override]
        """Return the products with a batch of dense matrices, and the dimension of the batch."""
        x = x.movedim(in_dims[1], -1)
        products: Any = SparseProduct.apply(operator, x.reshape(len(x), -1))
        return products.unflatten(1, x.shape[1:]), 2
