"""Reads Python from its input and checks each call of a class that it imports from Armada: the class must be there and take these arguments.

It reads the sources of the packages that are installed, since most of them cannot be imported without Airflow. Ends with 1 and a line for each
problem.
"""

import ast
import sys
import sysconfig
from pathlib import Path

PACKAGES = Path(sysconfig.get_paths()["purelib"])
# What every operator of Airflow takes.
OF_AIRFLOW = {"task_id", "dag"}


def class_of(module, name):
    source = PACKAGES.joinpath(*module.split(".")).with_suffix(".py")
    if not source.exists():
        sys.exit(f"there is no module {module}")
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node
    sys.exit(f"{module} has no class {name}")


def arguments_of(class_node):
    """The names of those that may be given, and of those that must be."""
    (init,) = [node for node in class_node.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    names = [argument.arg for argument in init.args.args[1:]]
    required = names[: len(names) - len(init.args.defaults)]
    return set(names) | (OF_AIRFLOW if init.args.kwarg else set()), set(required)


def main():
    program = ast.parse(sys.stdin.read())
    imported = {
        alias.name: class_of(node.module, alias.name)
        for node in ast.walk(program)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    calls = [
        node
        for node in ast.walk(program)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in imported
    ]
    if not calls:
        sys.exit("it calls nothing that it imports")
    for call in calls:
        allowed, required = arguments_of(imported[call.func.id])
        given = {keyword.arg for keyword in call.keywords}
        if given - allowed or required - given:
            sys.exit(f"{call.func.id}: unknown {sorted(given - allowed)}, missing {sorted(required - given)}")


main()
