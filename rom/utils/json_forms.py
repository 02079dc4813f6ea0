"""JSON forms of nested values with tensors, and of Datasets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import xarray as xr
from torch import Tensor

__all__ = ["history_from_json", "history_to_json", "pack", "unpack"]


def pack(tree: Any, tensors: dict[str, Tensor]) -> Any:
    """Return a JSON form of a nested value, and put its tensors into a dictionary.

    Parameters
    ----------
    tree : object
        Dictionaries, lists and tuples of numbers, text, None and tensors.
    tensors : dict of str to Tensor
        Where copies of the tensors are added, under names that the JSON form holds.

    Examples
    --------
    >>> tensors = {}
    >>> pack({"step": 3, "sizes": (2, 4)}, tensors)
    {'items': [['step', 3], ['sizes', {'tuple': [2, 4]}]]}
    """
    if isinstance(tree, Tensor):
        key = f"t{len(tensors)}"
        # A matrix stored by columns must come back so: products with it round differently otherwise.
        by_columns = tree.ndim == 2 and tree.T.is_contiguous() and not tree.is_contiguous()
        tensors[key] = (tree.T if by_columns else tree).clone()  # safetensors refuses tensors that share memory
        return {"transposed" if by_columns else "tensor": key}
    if isinstance(tree, dict):
        items = cast(dict[Any, Any], tree).items()
        return {"items": [[key, pack(value, tensors)] for key, value in items]}
    if isinstance(tree, list | tuple):
        values = cast("list[Any] | tuple[Any, ...]", tree)
        return {type(values).__name__: [pack(value, tensors) for value in values]}
    return tree


def unpack(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return the nested value whose JSON form and tensors `pack` made."""
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = cast(dict[str, Any], tree).items()
    if kind == "tensor":
        return tensors[content]
    if kind == "transposed":
        return tensors[content].T
    if kind == "items":
        return {key: unpack(value, tensors) for key, value in content}
    values = [unpack(value, tensors) for value in content]
    return tuple(values) if kind == "tuple" else values


def history_to_json(history: xr.Dataset) -> dict[str, Any]:
    """Return the JSON form of the history of a fit."""
    variables = {
        str(name): {"dims": list(v.dims), "data": v.values.tolist(), "dtype": str(v.values.dtype), "attrs": v.attrs}
        for name, v in history.variables.items()
    }
    return {"variables": variables, "coords": [str(c) for c in history.coords], "attrs": dict(history.attrs)}


def history_from_json(document: dict[str, Any]) -> xr.Dataset:
    """Return the history whose JSON form `history_to_json` made."""
    variables = {
        name: (v["dims"], np.asarray(v["data"], dtype=v["dtype"]), v.get("attrs", {}))
        for name, v in document["variables"].items()
    }
    coords = {name: variables.pop(name) for name in document["coords"]}
    return xr.Dataset(variables, coords, attrs=document["attrs"])
