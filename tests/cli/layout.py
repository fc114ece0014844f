"""Reads a checkpoint as the format's own page says, with nothing of this project.

https://huggingface.co/docs/safetensors: u64 length of the header, little-endian; a JSON header; the tensors' bytes,
without holes, in row-major order. Prints a line per tensor: name, type, shape, first and last element; then the metadata.
"""
import json
import struct
import sys

with open(sys.argv[1], "rb") as file:
    data = file.read()
(length,) = struct.unpack_from("<Q", data)
assert data[8:9] == b"{", "the header begins with a bracket"
assert length % 8 == 0, "the tensors are aligned"
header = json.loads(data[8 : 8 + length].decode("utf-8"))
metadata = header.pop("__metadata__", {})
assert all(isinstance(value, str) for value in metadata.values()), "metadata is text"
formats = {"F32": ("f", 4), "F64": ("d", 8)}
body, end = data[8 + length :], 0
for name, tensor in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
    code, width = formats[tensor["dtype"]]
    begin, stop = tensor["data_offsets"]
    count = 1
    for size in tensor["shape"]:
        count *= size
    assert begin == end and stop - begin == count * width, "no holes and no overlap"
    values = struct.unpack(f"<{count}{code}", body[begin:stop])
    print(name, tensor["dtype"], tensor["shape"], *(f"{value:g}" for value in values))
    end = stop
assert end == len(body), "nothing behind the tensors"
for key, value in sorted(metadata.items()):
    print(key, json.loads(value) if key.startswith("vocab.") else value)
