"""Files of weights, read as arrays by name.  Nothing in a file is ever run or unpickled.

A file may come from a stranger: a reader takes numbers from it and nothing else, follows no
link out of it, and sizes are checked before memory is taken.
"""

from __future__ import annotations

import importlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rnnderive.errors import InputError

__all__ = ["Checkpoint", "Node", "read_checkpoint"]

MAX_BYTES = 2**34  # of arrays in one file, unpacked


@dataclass(frozen=True)
class Node:
    """An ONNX operator: its name, the names of what goes in and out, its attributes."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """What a file of weights holds.

    Attributes
    ----------
    path : str
    framework : {"named", "keras", "onnx"}
        Whose conventions the content follows; ``named`` are arrays by name: a PyTorch state_dict
        or parameters of ours.
    arrays : dict
        Name → array.
    layers : dict
        Of Keras: layer's name → its configuration, if the file has it.
    names : dict
        Of Keras: path in the file → the layer's own name.
    nodes : tuple of Node
        Of ONNX: the operators, in order.
    """

    path: str
    framework: str
    arrays: dict[str, Any]
    layers: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    nodes: tuple[Node, ...] = ()


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read the arrays of a file: .npz, .safetensors, .pt, .pth, .h5, .keras, .onnx.

    Raises
    ------
    InputError
        When there is no such file, its format is not known or needs a package that is not
        installed, it is damaged, or it holds what is not numbers.
    """
    path = Path(path)
    shown = str(path)[:200]
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        pickled = path.suffix.lower() in (".pkl", ".pickle")
        more = " A pickle can run any program when it is read; it is never read here." * pickled
        raise InputError(f"{shown}: unknown format {path.suffix!r}; known: {', '.join(READERS)}.{more}")
    try:
        if not path.is_file():
            raise InputError(f"there is no file {shown!r}" if not path.exists() else f"{shown!r} is not a file")
        if path.stat().st_size == 0:
            raise InputError(f"{shown} is empty")
        found = reader(path)
    except InputError:
        raise
    except Exception as error:  # whatever a damaged file makes a reader say
        reason = f"{type(error).__name__}: {str(error).splitlines()[0][:300] if str(error) else 'no reason given'}"
        raise InputError(
            f"{shown} cannot be read as {path.suffix}: it is damaged, cut short or of another format ({reason})"
        ) from None
    if not found.arrays:
        raise InputError(f"{shown} holds no arrays of numbers")
    return found


def needed(package: str, path: Path, extra: str = "rnnderive[weights]") -> Any:
    """An optional package, or an error that says how to get it."""
    try:
        return importlib.import_module(package)
    except ImportError:
        raise InputError(
            f"reading {path.name} needs the package {package.split('.')[0]}, which is not installed: "
            f"pip install '{extra}'"
        ) from None


def numeric(name: str, array: Any) -> Any:
    """An array of floats; half precision becomes float32, integers are left."""
    array = np.asarray(array)
    if array.dtype.name in ("float16", "bfloat16"):
        return array.astype(np.float32)
    if array.dtype.kind not in "fiub":
        raise InputError(f"the array {name} has dtype {array.dtype}; expected numbers")
    return array


def _check_size(path: Path, total: int) -> None:
    if total > MAX_BYTES:
        raise InputError(f"{path} claims to hold {total} bytes of arrays; the limit is {MAX_BYTES}")


# ---------------------------------------------------------------- formats


def _npz(path: Path) -> Checkpoint:
    with zipfile.ZipFile(path) as packed:
        _check_size(path, sum(i.file_size for i in packed.infolist()))
    with np.load(path, allow_pickle=False) as file:
        return Checkpoint(str(path), "named", {n: numeric(n, _unpickled(path, n, file)) for n in file.files})


def _unpickled(path: Path, name: str, file: Any) -> Any:
    """An array of an .npz; an object array is a pickle, which can run any program."""
    try:
        return file[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise InputError(
            f"{path}: {name} holds Python objects, that is a pickle, which can run any program when it is read; "
            "it is never read here. Save arrays of numbers: np.savez(path, **{name: array})"
        ) from None


# NumPy has no bfloat16: it is the upper half of a float32.
_SAFETENSORS = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "BOOL": "?",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1",
}  # fmt: skip


def _safetensors(path: Path) -> Checkpoint:
    # The format's own reader checks that every array lies within the file.
    read = needed("safetensors", path).deserialize
    arrays = {}
    for name, entry in read(path.read_bytes()):
        if entry["dtype"] not in _SAFETENSORS:
            raise InputError(f"{path}: the array {name} has dtype {entry['dtype']}; expected one of 8 bits or more")
        array = np.frombuffer(entry["data"], _SAFETENSORS[entry["dtype"]]).reshape(entry["shape"])
        if entry["dtype"] == "BF16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        arrays[name] = numeric(name, array)
    return Checkpoint(str(path), "named", dict(sorted(arrays.items())))


def _torch(path: Path) -> Checkpoint:
    torch = needed("torch", path, "torch")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"{path}: PyTorch's safe loader refuses it ({type(error).__name__}). Expected a state_dict, saved by "
            "torch.save(model.state_dict(), path); a whole pickled model is never read"
        ) from None
    for key in ("state_dict", "model_state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise InputError(f"{path} holds a {type(content).__name__}; expected a state_dict")
    tensors = {str(n): a.detach() for n, a in content.items() if isinstance(a, torch.Tensor)}
    halves = (torch.float16, torch.bfloat16)
    return Checkpoint(
        str(path), "named", {n: numeric(n, (a.float() if a.dtype in halves else a).numpy()) for n, a in tensors.items()}
    )


def _keras(path: Path) -> Checkpoint:
    with zipfile.ZipFile(path) as packed:
        parts = {i.filename: i.file_size for i in packed.infolist()}
        if not {"config.json", "model.weights.h5"} <= parts.keys():
            raise InputError(f"{path} has no config.json and model.weights.h5; expected a model saved by Keras 3")
        _check_size(path, parts["config.json"] + parts["model.weights.h5"])
        config = json.loads(packed.read("config.json"))
        found = _h5(path, io.BytesIO(packed.read("model.weights.h5")))
    return Checkpoint(str(path), "keras", found.arrays, _configured(config), found.names)


def _h5(path: Path, source: Any = None) -> Checkpoint:
    h5py = needed("h5py", path)
    arrays: dict[str, Any] = {}
    names: dict[str, str] = {}
    total = 0

    def visit(name: str, item: Any) -> None:
        """Hard links only are visited, so that nothing leads out of the file."""
        nonlocal total
        if not isinstance(item, h5py.Dataset):
            if "name" in item.attrs and name.endswith("vars"):
                names[name.removesuffix("/vars")] = str(item.attrs["name"])
            return
        if item.external or item.is_virtual:
            raise InputError(f"{path}: the array {name} points to another file, which is never followed")
        total += item.size * item.dtype.itemsize
        _check_size(path, total)
        if item.dtype.kind in "fiub":
            arrays[name] = numeric(name, item[()])

    with h5py.File(source or path, "r") as file:
        file.visititems(visit)
        config = file.attrs.get("model_config")
        layers = _configured(json.loads(config)) if isinstance(config, str | bytes) else {}
    return Checkpoint(str(path), "keras", arrays, layers, names)


def _configured(config: Any) -> dict[str, Any]:
    """Layer's name → its configuration, nested models included."""
    found: dict[str, Any] = {}
    todo = [config]
    while todo:
        node = todo.pop()
        inner = node.get("config") if isinstance(node, dict) else None
        if isinstance(inner, dict):
            if isinstance(inner.get("layers"), list):
                todo += reversed(inner["layers"])
            elif "name" in inner:
                found[str(inner["name"])] = node
    return found


def _onnx(path: Path) -> Checkpoint:
    onnx = needed("onnx", path)
    to_array = importlib.import_module("onnx.numpy_helper").to_array
    model = onnx.load(str(path), load_external_data=False)
    arrays: dict[str, Any] = {}

    def add(name: str, tensor: Any) -> None:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise InputError(f"{path}: the array {name} points to another file; save the model with its data inside")
        if tensor.data_type != onnx.TensorProto.STRING:
            arrays[name] = numeric(name, to_array(tensor))

    for tensor in model.graph.initializer:
        add(tensor.name, tensor)
    nodes = []
    for n in model.graph.node:
        table = {a.name: onnx.helper.get_attribute_value(a) for a in n.attribute}
        if n.op_type == "Constant" and n.output and hasattr(table.get("value"), "data_location"):
            add(n.output[0], table["value"])
        nodes.append(
            Node(n.op_type, n.name or (n.output[0] if n.output else ""), tuple(n.input), tuple(n.output), table)
        )
    return Checkpoint(str(path), "onnx", arrays, nodes=tuple(nodes))


READERS: dict[str, Callable[[Path], Checkpoint]] = {
    ".npz": _npz,
    ".safetensors": _safetensors,
    ".pt": _torch,
    ".pth": _torch,
    ".h5": _h5,
    ".hdf5": _h5,
    ".keras": _keras,
    ".onnx": _onnx,
}
