"""Reading YAML that may be anything: bounded in size, depth and what its aliases unfold to; a key twice is an error."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path

import yaml

from mtalign.config.errors import ConfigError, in_one_line

MAX_BYTES = 100_000  # the largest grid file here has some 6,000
MAX_DEPTH = 20  # of lists and mappings in each other
MAX_NODES = 100_000  # values and keys, with each alias counted as what it stands for


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # in C where it is built: ten times as fast
    """As PyYAML's, but a key that is there twice is an error: YAML 1.1 says so, and PyYAML keeps the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if isinstance(name, Hashable) and name in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {name!r:.60} is there twice", key.start_mark
                )
            seen |= {name} if isinstance(name, Hashable) else set()
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> object:
    """What the file holds.

    Raises:
        ConfigError: it cannot be read, is no YAML, has a key twice, or is larger or deeper than any grid.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: is larger than {MAX_BYTES} bytes: no grid file")
    try:
        text = content.decode("utf-8-sig")
        _check_depth(path, text)
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _check_size(path, node)
        return loader.construct_document(node)
    except ConfigError:
        raise
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        hint = "; a name with a question mark stands in quotes" if "but got '?'" in str(error) else ""
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}{hint}") from None
    except Exception as error:  # PyYAML raises many a type for a value that is not of its tag: a date, an integer
        raise ConfigError(f"{path}: a value that cannot be read: {in_one_line(error, 120)}") from None


def _check_depth(path: Path, text: str) -> None:
    """Before anything recursive: composing nested nodes takes a level of the stack for each."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ConfigError(
                f"{path}: line {event.start_mark.line + 1}: lists and mappings are nested deeper than {MAX_DEPTH}"
            )


def _check_size(path: Path, root: yaml.Node) -> None:
    """Aliases of aliases unfold to billions of values when they are compared, copied or shown."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node, above: frozenset) -> int:
        if id(node) in above:
            raise ConfigError(f"{path}: line {node.start_mark.line + 1}: an alias stands for what it is in")
        if id(node) not in sizes:
            pairs = node.value if isinstance(node.value, list) else []
            below = [each for pair in pairs for each in (pair if isinstance(pair, tuple) else (pair,))]
            sizes[id(node)] = 1 + sum(size(each, above | {id(node)}) for each in below)
        return sizes[id(node)]

    if size(root, frozenset()) > MAX_NODES:
        raise ConfigError(f"{path}: holds more than {MAX_NODES} values, aliases unfolded")
