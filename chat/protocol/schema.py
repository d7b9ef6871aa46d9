"""Generates the browser's types (`wire.d.ts`) and the JSON Schema (`wire.schema.json`) from the frames.

`python -m chat.protocol.schema` writes both; a test fails when they are stale.
"""

import json
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import inspect

from chat.protocol import frames

FOLDER = Path(__file__).parent
UNIONS: dict[str, tuple[type[frames.Frame], ...]] = {
    "VisitorFrame": get_args(frames.VisitorFrame),
    "OperatorFrame": get_args(frames.OperatorFrame),
    "ToVisitor": get_args(frames.ToVisitor),
    "ToOperator": get_args(frames.ToOperator),
}
"""Directions of the wire, by the names that clients use."""


def json_schema() -> str:
    _, components = msgspec.json.schema_components(
        [frames.VisitorFrame, frames.OperatorFrame, frames.ToVisitor, frames.ToOperator],
        ref_template="#/$defs/{name}",
    )
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The frames of Nightdesk",
        "$defs": components
        | {
            union: {"anyOf": [{"$ref": f"#/$defs/{member.__name__}"} for member in members]}
            for union, members in UNIONS.items()
        },
    }
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False)
    return text + "\n"


def typescript() -> str:
    """One interface per frame and value, one union per direction."""
    names: dict[str, type[Any]] = {}
    for members in UNIONS.values():
        for member in members:
            _collect(member, names)
    parts = ["// Made from frames.py by `python -m chat.protocol.schema`; a test fails when this is stale."]
    parts += [_interface(names[name]) for name in sorted(names)]
    parts += [
        f"export type {union} = {' | '.join(member.__name__ for member in members)};"
        for union, members in UNIONS.items()
    ]
    return "\n\n".join(parts) + "\n"


def _collect(struct: type[Any], names: dict[str, type[Any]]) -> None:
    if struct.__name__ in names:
        return
    names[struct.__name__] = struct
    for field in _info(struct).fields:
        for found in _structs(field.type):
            _collect(found, names)


def _info(struct: type[Any]) -> inspect.StructType:
    info = inspect.type_info(struct)
    if not isinstance(info, inspect.StructType):
        raise TypeError(f"{struct} is no frame")
    return info


def _structs(kind: inspect.Type) -> list[type[Any]]:
    match kind:
        case inspect.StructType(cls=cls):
            return [cls]
        case inspect.ListType(item_type=item):
            return _structs(item)
        case inspect.UnionType(types=types):
            return [struct for one in types for struct in _structs(one)]
        case inspect.Metadata(type=inner):
            return _structs(inner)
    return []


def _interface(struct: type[Any]) -> str:
    info = _info(struct)
    lines = [f"export interface {struct.__name__} {{"]
    if isinstance(info.tag, str):
        lines.append(f'  type: "{info.tag}";')
    # A frame leaves out what has its default, so every optional field may be absent.
    lines += [f"  {field.name}{'' if field.required else '?'}: {_type(field.type)};" for field in info.fields]
    return "\n".join([*lines, "}"])


def _type(kind: inspect.Type) -> str:
    match kind:
        case inspect.StrType():
            return "string"
        case inspect.IntType() | inspect.FloatType():
            return "number"
        case inspect.BoolType():
            return "boolean"
        case inspect.NoneType():
            return "null"
        case inspect.StructType(cls=cls):
            return cls.__name__
        case inspect.ListType(item_type=item):
            return f"{_type(item)}[]" if not isinstance(item, inspect.UnionType) else f"({_type(item)})[]"
        case inspect.DictType():
            return "Record<string, any>"
        case inspect.UnionType(types=types):
            return " | ".join(_type(one) for one in types)
        case inspect.Metadata(type=inner):
            return _type(inner)
    raise TypeError(f"{kind} has no place on the wire")


def generated() -> dict[Path, str]:
    return {FOLDER / "wire.d.ts": typescript(), FOLDER / "wire.schema.json": json_schema()}


def main() -> None:
    for path, text in generated().items():
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path.name}\n")


if __name__ == "__main__":
    main()
